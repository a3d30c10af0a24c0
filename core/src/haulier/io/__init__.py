"""The rooms with doors to the outside: transports, ledger, readers, credentials, outputs, project files."""

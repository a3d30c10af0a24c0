"""What may be shown to a service, at which origin, and what it said of the account behind it."""

"""The ledger: the durable store of intents, outcomes and what outputs still owe. One SQLite file per destination."""

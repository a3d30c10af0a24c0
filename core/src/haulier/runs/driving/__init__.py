"""One stage under way: from a planned request to its place in the ledger. Decides nothing that `delivery` decides."""

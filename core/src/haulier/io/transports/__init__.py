"""Who sends: one protocol, one suite of tests for all of them."""

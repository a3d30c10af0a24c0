"""What happened: runs, their reports and their figures, read from the ledgers; and the tidying up of old ones."""

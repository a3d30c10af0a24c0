"""Runs from the outside: which run it is, and one sitting of it from the opened ledger to the report."""

"""The stages of a run, of which a plain run has one: each with its records, its planner and its driver."""

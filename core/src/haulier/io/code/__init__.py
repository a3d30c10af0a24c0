"""Code that people write: run in a sandbox, or, where they trust it twice, in this very process."""

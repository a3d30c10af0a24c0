"""The pages of docs/reference, made from the code they describe: one module per kind of page."""

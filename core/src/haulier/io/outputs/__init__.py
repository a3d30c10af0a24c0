"""Outputs: durable at-least-once consumers of what came of each request."""

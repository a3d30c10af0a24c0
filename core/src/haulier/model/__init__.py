"""The nouns: what every other room speaks of. No I/O, no clock, no randomness."""

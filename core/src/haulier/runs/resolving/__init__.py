"""From what a person wrote to what runs: found, held against the registry, checked and compiled. Sends nothing."""

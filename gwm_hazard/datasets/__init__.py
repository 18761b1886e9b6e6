"""Training sets: prepared from records, or simulated."""

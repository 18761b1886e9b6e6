"""Metrics as pure functions: arrays in, numbers out, one module an idea."""

"""Statistics that the benchmark and the calibration share."""

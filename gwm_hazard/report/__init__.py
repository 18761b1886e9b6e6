"""What the pages of this package share: how figures, numbers, prose and style look."""

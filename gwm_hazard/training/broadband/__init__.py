"""Training of the family "broadband"."""

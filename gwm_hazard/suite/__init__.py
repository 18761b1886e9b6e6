"""Suites of accelerograms that carry the hazard of a site."""

"""The page of the benchmark: one HTML file that holds its figures, and the numbers as JSON."""

from gwm_hazard.benchmark.page.page import write_report

__all__ = ["write_report"]

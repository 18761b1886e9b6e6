"""The page of a study: one HTML file that holds its figures and its motions."""

from gwm_hazard.suite.page.page import page

__all__ = ["page"]

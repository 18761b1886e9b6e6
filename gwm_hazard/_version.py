"""The version of this package: what files and the command line tell."""

__version__ = "0.1.0"

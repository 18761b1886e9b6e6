"""What goes wrong, said in a line: which field has which value, and what to do.

The command line shows these, and what the system says of files, without a traceback; anything else
is a fault of the program, whose traceback ``--debug`` shows.
"""


class GwmHazardError(ValueError):
    """Base of all errors that a user can mend."""


class InputError(GwmHazardError):
    """A value that cannot be used: the message names the field, the value and the remedy."""


class ModelError(GwmHazardError):
    """A model folder, card or weights that cannot be used."""


class SurfaceError(GwmHazardError):
    """A surface that cannot be read, or does not hold what it is asked for."""


class CatalogueError(GwmHazardError):
    """A catalogue that cannot be read, written, or drawn again."""


class BudgetExceededError(GwmHazardError):
    """Too many waveforms would have to be drawn."""


class MissingPackageError(GwmHazardError, ImportError):
    """A package that only some work needs is not installed."""

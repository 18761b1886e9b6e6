"""Everything that knows OpenQuake."""

# First of all: OpenQuake imports its GSIMs, ours among them, when it is imported, and would do so
# in the middle of whichever of our modules asks for OpenQuake first.
import openquake.hazardlib  # noqa: F401

"""Files that last: written whole or not at all, resumed, with their provenance."""

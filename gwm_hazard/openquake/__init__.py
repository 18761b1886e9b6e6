"""Everything that knows OpenQuake."""

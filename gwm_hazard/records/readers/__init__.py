"""One module a format; each has ``scan(paths, options)``, which returns its sources."""

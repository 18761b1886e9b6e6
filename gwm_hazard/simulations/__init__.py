"""Low frequencies by physics: layered earth, point and finite sources, Green's functions."""

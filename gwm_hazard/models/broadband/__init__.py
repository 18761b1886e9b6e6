"""From physics-based low frequencies to broadband motions."""

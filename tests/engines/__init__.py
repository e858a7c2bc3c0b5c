"""The real engines on tiny models, and engine processes with small fakes."""

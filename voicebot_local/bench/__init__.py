"""Measurements of recorded sessions: latency and turn quality, from the sound alone."""

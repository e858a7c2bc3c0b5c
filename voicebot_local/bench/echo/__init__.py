"""Simulated rooms, and how well the assistant keeps its own voice apart from the user's in them."""

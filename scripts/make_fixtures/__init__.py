"""Makers of the small models and recordings that tests and the starter stack run on."""

"""Servers on loopback that speak like the hosted services, written from their documentation.

Nothing here is the services' own: voices are tones, transcripts and replies are made up. Each takes
a `Script`: how long it takes, and what goes wrong when.
"""

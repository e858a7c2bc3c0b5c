"""How well the ends of turns are found, on recordings in which they are known."""

"""Trains the small streaming recognizer that tests run NeMo on, from espeak-ng speech."""

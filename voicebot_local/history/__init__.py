"""Conversations that the user wants kept, in a database of their own."""

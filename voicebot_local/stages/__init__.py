"""One stage alone: only its engine is loaded, the same way as in a conversation."""

"""What is wrong with this machine for a conversation, and how to mend it: one check a module."""

"""Local engines in child processes: the child, its async face, and the pipe between them."""

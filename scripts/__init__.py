"""Developer tools: set up, download, check, and make the fixtures that tests and demos use."""

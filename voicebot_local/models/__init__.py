"""The models that can be downloaded: what there is, getting it, and checking it."""

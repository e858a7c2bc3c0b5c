"""Checks and measures the local stack on this machine's GPU; `scripts/gpu_check.sh` starts it."""

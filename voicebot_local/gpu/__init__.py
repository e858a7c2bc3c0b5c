"""One device, one broker: who computes when, and what fits in its memory."""

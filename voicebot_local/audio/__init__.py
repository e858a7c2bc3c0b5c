"""Sound in and out on one sample clock: cards, recordings, resampling, voice activity, playout."""

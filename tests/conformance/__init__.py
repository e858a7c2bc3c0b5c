"""What every provider does alike: one scenario file, one row a provider."""

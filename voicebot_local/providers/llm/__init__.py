"""Chat models: one module a provider, and what they need beside it."""

"""What listens, thinks and speaks: three Protocols and one module for each provider."""

"""The built-in network architectures."""

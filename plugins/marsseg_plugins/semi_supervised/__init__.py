"""The built-in semi-supervised methods."""

"""The built-in loss functions."""

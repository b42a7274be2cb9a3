"""What is installed: kinds, parameters, entries, and loading them."""

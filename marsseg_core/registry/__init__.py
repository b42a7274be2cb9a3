"""What is installed: kinds, parameters, entries, discovery, and loading."""

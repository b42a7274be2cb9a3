"""The registry of components: kinds, parameters, entries, discovery, and loading."""

"""Writing whole or not at all, locks, and the run folder with its file names."""

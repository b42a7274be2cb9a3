"""Atomic writing, locks, headers of array files, and the names of the files in a run folder."""

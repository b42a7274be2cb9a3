"""Atomic writing, locks, and the names of the files in a run folder."""

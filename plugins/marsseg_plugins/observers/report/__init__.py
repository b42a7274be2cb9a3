"""Figures and a page at the end of a run."""

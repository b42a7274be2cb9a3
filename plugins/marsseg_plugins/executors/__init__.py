"""Executors: where tasks are done, such as the trials of a sweep."""

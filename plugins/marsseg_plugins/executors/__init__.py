"""Executors: where the tasks of a sweep are done."""

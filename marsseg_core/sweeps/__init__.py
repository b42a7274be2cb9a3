"""Sweeps: many runs of one request, whose plans differ in the settings that the user varies."""

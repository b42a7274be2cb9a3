"""Predict images of any size with one or several networks, and write the predictions to files."""

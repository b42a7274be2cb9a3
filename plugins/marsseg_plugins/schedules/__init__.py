"""The built-in learning-rate schedules."""

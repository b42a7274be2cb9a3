"""The built-in weightings of losses."""

"""What the author of a plugin inherits to test it: one contract for each kind of component."""

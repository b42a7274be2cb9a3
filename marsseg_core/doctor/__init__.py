"""`marsseg doctor`: each installed component examined in a fresh process."""

"""`marsseg doctor`: examine each installed component in a separate process."""

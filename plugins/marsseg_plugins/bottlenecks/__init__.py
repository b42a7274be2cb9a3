"""The built-in bottlenecks."""

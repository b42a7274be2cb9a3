"""Write networks for use without marsseg, check what was written, and use it as an engine."""

"""Train the network of a plan, and write the results to a run folder."""

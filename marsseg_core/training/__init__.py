"""From a plan to a trained network in a run folder."""

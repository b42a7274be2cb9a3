"""Experiments with several runs: series of one plan over seeds or folds, and comparisons of runs."""

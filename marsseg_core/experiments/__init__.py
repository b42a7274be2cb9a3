"""Experiments of several runs: the same plan with other seeds or folds, and runs against each other."""

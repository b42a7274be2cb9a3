"""Evaluation: fill the confusion matrix of a network, and compute metrics from it."""

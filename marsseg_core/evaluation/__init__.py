"""How good a network is: the confusion matrix, and filling it."""

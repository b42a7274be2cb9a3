"""How good a network is: the confusion matrix and every reading of it."""

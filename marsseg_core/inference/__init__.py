"""Predictions: networks on images of any size, and what is written of them."""

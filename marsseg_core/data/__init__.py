"""Read, check, store and split images and masks, and make batches for training."""

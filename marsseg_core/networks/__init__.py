"""Build, check, load and describe networks, and hide the differences between Keras' backends."""

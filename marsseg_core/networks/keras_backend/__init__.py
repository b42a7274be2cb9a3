"""What depends on Keras' backend, and on its settings: only these modules know TensorFlow and JAX."""

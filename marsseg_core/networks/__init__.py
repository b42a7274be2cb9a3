"""Building, checking, reading and describing networks; what Keras' backends differ in."""

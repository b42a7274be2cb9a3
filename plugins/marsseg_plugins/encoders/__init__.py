"""Encoders: the part of a network that turns images into feature maps of several sizes."""

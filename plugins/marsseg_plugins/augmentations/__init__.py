"""The augmentations of marsseg."""

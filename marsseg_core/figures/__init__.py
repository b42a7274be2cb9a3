"""What all figures share: colours, inks, and pictures of tiles."""

"""What can be said of a built network: its cost, and a drawing of it."""

"""Packs: trained networks in one file, to hand on, with all that says what they are and a test that shows it."""

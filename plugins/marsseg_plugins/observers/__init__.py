"""The observers of marsseg: they watch and record runs."""

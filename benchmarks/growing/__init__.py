"""The commands and functions whose growth `benchmarks/growth.py` measures, by what they are given."""

"""Read finished and running runs: their records, their data and their networks."""

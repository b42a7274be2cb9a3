"""The kinds of files that `benchmarks/fuzz_readers.py` damages: seeds, mutations and readers."""

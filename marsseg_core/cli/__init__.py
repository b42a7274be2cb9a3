"""The command line: one module for each command, each a thin layer over the Python interface.

Nothing here imports Keras or NumPy before a command needs it.
"""

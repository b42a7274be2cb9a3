"""The command line: one module for each command, a thin layer over the Python interface.

The modules import Keras and NumPy only inside functions, so that commands which do not need them start fast.
"""

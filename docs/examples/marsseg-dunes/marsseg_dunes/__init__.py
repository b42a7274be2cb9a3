"""An example of a plugin for marsseg. Importing it imports nothing else."""

"""The data sets of marsseg, and the code that reads their files."""

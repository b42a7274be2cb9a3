"""Find images and their masks in the layouts of folders and files that people use, one module for each layout."""

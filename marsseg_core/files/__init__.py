"""Write files atomically, lock folders, read and write .npy headers, and access the files of a run folder."""

"""Engine values <-> rows. Each file is the one reader and writer of its tables' contents."""

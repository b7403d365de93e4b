"""Service. What others read of the log: taken in order from a checkpoint, at least once."""

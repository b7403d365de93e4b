"""Voice activity detectors of others: each runs in a virtual environment of its own."""

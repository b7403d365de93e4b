"""Edge. Recordings of calls: files that are sealed as they are written."""

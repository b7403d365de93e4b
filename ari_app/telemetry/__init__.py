"""Edge. What operators see: figures, logs, and the time they carry."""

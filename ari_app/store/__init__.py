"""Edge. The log and everything that must change with it, in SQLite."""

"""Edge. What has to be done again and again."""

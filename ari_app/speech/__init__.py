"""Edge. From a caller's audio to words, and from words to a voice."""

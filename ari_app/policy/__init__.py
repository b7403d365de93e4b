"""Pure. From an intent to a decision."""

"""Pure. From words to meaning: normal form, intents with confidence, choices."""

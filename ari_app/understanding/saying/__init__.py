"""Pure. From numbers, dates, money, names and codes to the words that a voice says."""

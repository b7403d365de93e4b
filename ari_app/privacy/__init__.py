"""Service. What belongs to a person: sealed by its own key, kept for a time, erased for good."""

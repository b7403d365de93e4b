"""Service. One thread of texts: replies in from the log, answered on the same conversation."""

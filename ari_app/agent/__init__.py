"""Service. The same turn for every channel: understand, decide, act, on one conversation."""

"""Pure. One conversation across channels: its events, and the state that they fold to."""

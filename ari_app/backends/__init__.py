"""Edge. Systems on the premises that take what a conversation produced."""

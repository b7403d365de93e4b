"""Edge. Committed events for other systems on the premises: to NATS JetStream, or as lines."""

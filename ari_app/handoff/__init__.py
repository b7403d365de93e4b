"""Service. Hand-off records: made, delivered, acknowledged, or escalated to a person."""

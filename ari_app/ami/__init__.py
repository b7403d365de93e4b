"""Edge. Watches Asterisk from beside, over its manager interface (AMI)."""

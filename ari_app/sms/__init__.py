"""Edge. Texts out and in over smpp; its errors become our words."""

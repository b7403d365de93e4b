"""Edge. A telephone that people do not hold: it calls, speaks, presses keys and listens."""

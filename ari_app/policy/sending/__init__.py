"""Pure. The rules that a text must pass before it may go on the wire."""

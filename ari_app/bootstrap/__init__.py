"""The only room that knows every concrete class: who is who, and in which order they start."""

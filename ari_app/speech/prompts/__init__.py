"""Prompts: recorded, kept and synthesized audio, brought to one shape."""

"""Moves a caller from voice to text without losing a word."""

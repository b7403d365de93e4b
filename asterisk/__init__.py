"""Asterisk of our own: fetched without root, configured from `etc/`, run on private ports."""

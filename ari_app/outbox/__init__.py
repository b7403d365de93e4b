"""Service. Promised effects by kind: claim, do, settle; whatever becomes of one is written down."""

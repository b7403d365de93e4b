"""Pure. Proof that the log is whole: nothing changed, removed, moved or cut off since."""

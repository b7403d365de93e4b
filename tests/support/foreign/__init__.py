"""Programs of other people, run privately for tests: real ones, never a mock."""

"""Service. Live voice: each call a session, its turn-taking pure, all of them in one registry."""

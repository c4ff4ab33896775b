"""Programs that a user of a client library might write; each runs in that client's own environment."""

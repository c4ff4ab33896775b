"""A typed client of the REST API, for the command and for scripts."""

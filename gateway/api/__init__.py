"""The REST API's contract, pure: documents, endpoints, errors. No sockets, no store; server and client share it."""

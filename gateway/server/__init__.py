"""aiohttp lives here: sockets in, S3 answers out."""

"""Input → store → Output: a coroutine per S3 operation. No sockets, no XML, no SQL."""

"""The S3 wire protocol, pure: bytes and values in, values and bytes out; no sockets, no database."""

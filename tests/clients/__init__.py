"""Outside S3 clients, unmodified, used as their users use them."""

"""All of the store's SQL. Query functions take an open connection; their caller owns the transaction."""

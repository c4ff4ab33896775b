"""How a change becomes a commit: the hash chain, the transaction, the group."""

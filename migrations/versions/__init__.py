"""One short step per file, in order of their numbers."""

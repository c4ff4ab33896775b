"""One short step per file, each following the one before."""

"""Bundles: a repo with all its history in one stream, to be kept as a backup or taken into another store.

`records` knows the bytes, `checker` what they must say; `export` writes a repo through both, `load` reads one.
"""

"""Where the bytes of larger blobs are: one interface (`base`), one contract test suite."""

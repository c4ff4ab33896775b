"""The command `caret`: `main` holds the argument tree, each command has a file of its own."""

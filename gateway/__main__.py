"""`python -m gateway`: the same as the command `caret`."""

from gateway.cli.main import main

if __name__ == "__main__":
    main(prog_name="caret")

"""Disks that are soon full."""

from __future__ import annotations

from pathlib import Path

SIZE_MIB = 48


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            return ballast

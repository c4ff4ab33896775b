"""What one side holds: items in the order of their paths' bytes, which is also that of Python's strings.

A manifest is a stream of items and is never in memory as a whole.
"""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct, frozen=True, gc=False):
    """A file or an object. `mtime_ns` since the epoch; of an object it is when it was last written there.

    `etag` is an object's, and a file's where its content is known already. `inode` is 0 for an object. A `size` of -1
    is that of something at a folder's path that is no file: it differs from every other item.
    """

    path: str
    size: int
    mtime_ns: int = 0
    inode: int = 0
    etags: tuple[str, ...] = ()

    @property
    def is_object(self) -> bool:
        return self.inode == 0

    @property
    def stamp(self) -> str:
        """The same text means the same content."""
        return f"{self.size} {self.etags[0]}" if self.is_object else f"{self.size} {self.mtime_ns} {self.inode}"

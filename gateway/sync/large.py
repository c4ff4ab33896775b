"""A large file under way: pieces that any thread may move, in any order; whoever moves the last one finishes it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway.sync.ends import Content, Sink
from gateway.sync.etags import part_count
from gateway.sync.faults import FileFault, Halted, SyncFault
from gateway.sync.manifest import Item
from gateway.sync.progress import Meter

End = Callable[[SyncFault | None, str], None]
"""Is told how it ended: what was wrong, or the ETag of what is at its place now. After Halted it is not closed yet,
for other threads may be at it."""


class Large:
    """Once a piece has failed the others are passed over."""

    def __init__(self, item: Item, content: Content, sink: Sink, reads: Meter, writes: Meter, end: End) -> None:
        self._item, self._content, self._sink = item, content, sink
        self._reads, self._writes, self._end = reads, writes, end
        self._lock = threading.Lock()
        self.count = self._left = part_count(item.size, sink.piece)
        self._fault: FileFault | None = None

    def move(self, number: int) -> None:
        """Raises what ends the whole run."""
        if self._fault is None:
            try:
                self._move(number)
            except FileFault as fault:
                self._fault = fault
            except Halted as fault:
                self._end(fault, "")
                raise
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self._finish()

    def leave(self) -> None:
        """The run ends before it does. Not to be called while a piece is on its way."""
        self._content.close()
        self._sink.leave()

    def _move(self, number: int) -> None:
        start = number * self._sink.piece
        size = min(self._sink.piece, self._item.size - start)
        if not self._sink.has(number, size, self._writes):
            self._sink.write(number, self._content.read(start, size, self._reads), self._writes)

    def _finish(self) -> None:
        etag = ""
        try:
            if self._fault is None:
                self._content.check()
                etag = self._sink.finish()
        except FileFault as fault:
            self._fault = fault
        except Halted as fault:
            self._end(fault, "")
            raise
        self._content.close()
        if self._fault is not None:
            self._sink.drop()
        self._end(self._fault, etag)

"""Carries out a plan's transfers and deletions with a crew of threads.

A small file is one task. Many of them, where the destination takes such, travel in batches. A large one is a task that
begins it and one per piece; whichever piece comes last finishes it, so that no thread waits for another. A file that
changed while it was read is tried once more, as it is by then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from gateway.sync.control import Control
from gateway.sync.crew import Crew
from gateway.sync.ends import MIB, PIECE_BYTES, Destination, Small, Source
from gateway.sync.faults import FileChanged, FileFault, Halted, SyncFault
from gateway.sync.folder import FolderDestination, FolderSource
from gateway.sync.large import Large
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.progress import Meter, Tracker

_BATCH_FILES, _BATCH_BYTES = 1000, 8 * MIB
_DELETIONS = 1000
_MOST_ATTEMPTS = 2


class Transfers:
    """What is done about one plan. `wait_s`: between the end of one file and the beginning of the next."""

    def __init__(
        self,
        source: Source,
        destination: Destination,
        memory: Memory,
        control: Control,
        tracker: Tracker,
        *,
        jobs: int,
        wait_s: float = 0.0,
    ) -> None:
        self._source, self._destination, self._memory = source, destination, memory
        self._control, self._tracker, self._wait_s = control, tracker, wait_s
        self._jobs = 1 if wait_s else jobs
        self._is_first = True
        self._lock = threading.Lock()
        self._under_way: set[Large] = set()
        self.transferred = self.deleted = 0
        # Bytes count, and are kept to the rate, where they pass the network; between two folders as they are written.
        self._counts_reads = isinstance(destination, FolderDestination) and not isinstance(source, FolderSource)

    def run(self, items: Sequence[Item]) -> None:
        """Failures of single files are the tracker's. Raises Refused, Halted, Cancelled, SyncError."""
        try:
            with Crew(self._jobs, self._control) as self._crew:
                for group in self._groups(items):
                    if len(group) == 1:
                        self._crew.give(lambda item=group[0]: self._begin(item))  # type: ignore[misc]
                    else:
                        self._crew.give(lambda group=group: self._batch(group))  # type: ignore[misc]
        finally:
            for large in self._under_way:
                large.leave()
            self._memory.flush()

    def delete(self, paths: Sequence[str]) -> None:
        """As `run`."""
        step = 1 if self._wait_s else _DELETIONS
        with Crew(self._jobs, self._control) as crew:
            for at in range(0, len(paths), step):
                crew.give(lambda some=paths[at : at + step]: self._delete(some))  # type: ignore[misc]

    # ---------------------------------------------------------------- small ones

    def _groups(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Batches of small files, all others alone. The order is kept as far as that goes."""
        is_batched = isinstance(self._source, FolderSource) and not self._wait_s
        group: list[Item] = []
        size = 0
        for item in items:
            if not is_batched or item.size > self._destination.batch_bytes:
                yield [item]
                continue
            if group and (len(group) == _BATCH_FILES or size + item.size > _BATCH_BYTES):
                yield group
                group, size = [], 0
            group.append(item)
            size += item.size
        if group:
            yield group

    def _batch(self, items: Sequence[Item]) -> None:
        self._control.check()
        files: list[Small] = []
        opened_ns: list[int] = []
        for item in items:
            try:
                content = self._source.open(item, self._silent(item))
                try:
                    data = content.read(0, item.size, self._silent(item))
                    content.check()
                finally:
                    content.close()
            except FileFault as fault:
                self._fault(item, 1, fault)
                continue
            files.append(Small(item, data, content.attributes))
            opened_ns.append(content.opened_ns)
        if not files:
            return
        try:
            etags = self._destination.put_many(files, self._silent(files[0].item))
        except FileFault:
            etags = None  # one of them is not to its liking
        except Halted as fault:
            self._tracker.failed(files[0].item.path, fault)
            raise
        if etags is None:
            for file in reversed(files):
                self._crew.add(lambda item=file.item: self._begin(item))  # type: ignore[misc]
            return
        self._tracker.moved(files[-1].item.path, sum(file.item.size for file in files))
        for file, etag, at_ns in zip(files, etags, opened_ns, strict=True):
            self._memory.learn(self._source.name, file.item, etag, at_ns)
        self._done(files[-1].item, len(files))

    def _small(self, item: Item, attempt: int) -> None:
        meter = Meter(item.path, self._control, self._tracker)
        reads, writes = (meter, self._silent(item)) if self._counts_reads else (self._silent(item), meter)
        try:
            content = self._source.open(item, reads)
            try:
                data = content.read(0, item.size, reads)
                content.check()
            finally:
                content.close()
            etag = self._destination.put(Small(item, data, content.attributes), writes)
        except FileFault as fault:
            meter.take_back()
            self._fault(item, attempt, fault)
            return
        except Halted as fault:
            self._tracker.failed(item.path, fault)
            raise
        self._sent(item, etag, content.opened_ns)

    # ---------------------------------------------------------------- any

    def _begin(self, item: Item, attempt: int = 1) -> None:
        self._pause()
        self._control.check()
        if self._destination.copies(item):
            self._copy(item, attempt)
        elif item.size <= PIECE_BYTES:
            self._small(item, attempt)
        else:
            self._large(item, attempt)

    def _copy(self, item: Item, attempt: int) -> None:
        try:
            self._destination.copy(item)
        except FileFault as fault:
            self._fault(item, attempt, fault)
            return
        self._tracker.moved(item.path, item.size, is_sent=False)
        self._done(item)

    def _fault(self, item: Item, attempt: int, fault: FileFault) -> None:
        """Has a file that changed tried again, as it is now."""
        if isinstance(fault, FileChanged) and attempt < _MOST_ATTEMPTS:
            try:
                now = self._source.again(item.path)
            except FileFault as other:
                fault = other
            else:
                self._tracker.resized(now.size - item.size)
                self._crew.add(lambda: self._begin(now, attempt + 1))
                return
        self._tracker.failed(item.path, fault)

    def _sent(self, item: Item, etag: str, opened_ns: int) -> None:
        if isinstance(self._source, FolderSource):
            self._memory.learn(self._source.name, item, etag, opened_ns)
        self._done(item)

    def _done(self, item: Item, files: int = 1) -> None:
        with self._lock:
            self.transferred += files
        self._tracker.finished(item.path, files)

    def _silent(self, item: Item) -> Meter:
        return Meter(item.path, self._control, None)

    def _pause(self) -> None:
        if self._wait_s and not self._is_first:
            self._control.wait(self._wait_s)
        self._is_first = False

    def _delete(self, paths: Sequence[str]) -> None:
        self._pause()
        self._control.check()
        failed = self._destination.delete(paths)
        for path, why in failed.items():
            self._tracker.failed(path, FileFault(why))
        with self._lock:
            self.deleted += len(paths) - len(failed)
        self._tracker.finished(paths[-1], len(paths) - len(failed))

    # ---------------------------------------------------------------- large ones

    def _large(self, item: Item, attempt: int) -> None:
        meter = Meter(item.path, self._control, self._tracker)
        reads, writes = (meter, self._silent(item)) if self._counts_reads else (self._silent(item), meter)
        try:
            content = self._source.open(item, reads)
            try:
                sink = self._destination.sink(item, content.attributes, writes)
            except BaseException:
                content.close()
                raise
        except FileFault as fault:
            meter.take_back()
            self._fault(item, attempt, fault)
            return
        except Halted as fault:
            self._tracker.failed(item.path, fault)
            raise

        def end(fault: SyncFault | None, etag: str) -> None:
            if fault is not None and not isinstance(fault, FileFault):
                self._tracker.failed(item.path, fault)
                return
            with self._lock:
                self._under_way.discard(large)
            if fault is None:
                self._sent(item, etag, content.opened_ns)
            else:
                meter.take_back()
                self._fault(item, attempt, fault)

        large = Large(item, content, sink, reads, writes, end)
        with self._lock:
            self._under_way.add(large)
        for number in reversed(range(large.count)):  # the last one added is the first one done
            self._crew.add(lambda number=number: large.move(number))  # type: ignore[misc]

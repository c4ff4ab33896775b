"""Whether a file or object of the source and one of the destination, of the same size, have the same content.

    file and object     the file's ETag, remembered or computed as the object's was made, is the object's. Where that is
                        opaque: the file, on its way up, is not newer than the object; on its way down not older
    file and file       the same BLAKE3
    object and object   the same ETag. Where they are made in different ways: the source's is not newer

With `checksum` nothing is remembered, and what only times could tell counts as changed.
"""

from __future__ import annotations

import time

from gateway.sync.control import Control
from gateway.sync.etags import OURS, Form, etag_of_pieces, form_of
from gateway.sync.faults import FileFault
from gateway.sync.folder import FolderDestination, FolderSource
from gateway.sync.local import opened
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.model import Comparison
from gateway.sync.remote import BucketDestination, BucketSource


class Comparer:
    def __init__(
        self,
        source: FolderSource | BucketSource,
        destination: FolderDestination | BucketDestination,
        comparison: Comparison,
        memory: Memory,
        control: Control,
    ) -> None:
        self._source, self._destination = source, destination
        self._comparison, self._memory, self._control = comparison, memory, control

    def is_same(self, wanted: Item, present: Item) -> bool:
        """Both have the same size."""
        self._control.check()
        if self._comparison is Comparison.SIZE:
            return True
        try:
            return self._is_same(wanted, present)
        except FileFault:
            return False  # the transfer will tell what is wrong

    def _is_same(self, wanted: Item, present: Item) -> bool:
        is_quick = self._comparison is Comparison.QUICK
        if isinstance(self._source, FolderSource):
            if isinstance(self._destination, FolderDestination):
                return self._digest(self._source, wanted) == self._digest(self._destination, present)
            is_newer = wanted.mtime_ns > present.mtime_ns
            return self._is_content(self._source, wanted, present, self._destination, is_quick and not is_newer)
        if isinstance(self._destination, FolderDestination):
            is_older = present.mtime_ns < wanted.mtime_ns
            return self._is_content(self._destination, present, wanted, self._source, is_quick and not is_older)
        if wanted.etags == present.etags:
            return True
        form = form_of(wanted.etags[0])
        if form is not None and form.is_whole and form == form_of(present.etags[0]):
            return False
        return is_quick and wanted.mtime_ns <= present.mtime_ns

    def _is_content(
        self,
        folder: FolderSource | FolderDestination,
        file: Item,
        found: Item,
        bucket: BucketSource | BucketDestination,
        otherwise: bool,
    ) -> bool:
        """Whether the file is what an object has. `otherwise`: the answer where the ETag does not tell."""
        etag = found.etags[0]
        if self._comparison is Comparison.QUICK:
            if etag in file.etags:
                return True
            form = form_of(etag)
            if form is not None and form.is_whole and any(form_of(known) == form for known in file.etags):
                return False
        proof = bucket.proof(found)
        if proof is None:
            return otherwise
        return self._computed(folder, file, proof.form, proof.part_size) == etag

    def _digest(self, side: FolderSource | FolderDestination, file: Item) -> str:
        if self._comparison is Comparison.QUICK:
            for known in file.etags:
                if form_of(known) == OURS:
                    return known
        return self._computed(side, file, OURS, file.size)

    def _computed(self, side: FolderSource | FolderDestination, file: Item, form: Form, part_size: int) -> str:
        looked_ns = time.time_ns()
        with opened(side.folder, file) as content:
            etag = etag_of_pieces(content.read, file.size, form, part_size, self._control.check)
            content.check()
        self._memory.learn(side.name, file, etag, looked_ns)
        return etag

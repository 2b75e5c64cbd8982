"""Where a run's chats wait until every walk is done: a temporary file, small in memory.

Nothing is handed to dlt before all walks have ended. So a run that dies leaves nothing behind, a
walk that is restarted or given up takes its chats with it, and a chat that was listed twice (the
list moved while it was read) lands once, as it was last seen.

Ids are written a second time, into buckets by their checksum: equal ones meet in a bucket that is
small enough to be looked through exactly. So time is in proportion to the number of chats.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.api.answers import Page
from postpress_source.chats.tables import CHATS, TEXT, to_batch
from postpress_source.errors import PostpressRequestError

TABLE_BYTES: Final = 4 * 2**20
_BATCH_CHATS: Final = 2_000
_SORTED_CHATS: Final = 2**16
_BUCKETS: Final = 64
KEYS: Final = pa.schema([CHATS.field(name) for name in ("id", "account_id", "timestamp")])
_PLACES: Final = pa.schema([("id", TEXT), ("row", pa.uint64())])
_Part = tuple[int, int]  # a batch's first byte in the file, and how many it has


class SeenIds:
    """Ids that may have come before. Never wrong about one that has.

    Of 500,000 different ids 15 in 1,000 seem to have come before, of 5,000,000 136.
    """

    def __init__(self) -> None:
        self._bits = bytearray(2 * 2**20)

    def add(self, chat_ids: Iterable[str]) -> list[str]:
        """Add ids. Returns those that may have come before, in this call or an earlier one."""
        bits, last = self._bits, len(self._bits) * 8 - 1
        before = []
        for chat_id in chat_ids:
            bit = crc32(chat_id.encode()) & last
            place, mask = bit >> 3, 1 << (bit & 7)
            if bits[place] & mask:
                before.append(chat_id)
            else:
                bits[place] |= mask
        return before


class Spool:
    """A temporary file of chats, each belonging to a walk. Threads may share it.

    It has no name in any folder, so that nothing of it outlives the process.

    Raises:
        PostpressRequestError: There is no place for it.
    """

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="postpress-", buffering=0)  # noqa: SIM115 - close() does
        except OSError as error:
            raise _of_disk(error) from error
        self._waiting: list[tuple[int, Sequence[Page]]] = []
        self._full = 0.0  # how far what waits makes a batch
        self._batches: list[_Part] = []
        self._ends = [0]  # of the batches, in rows
        self._runs: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self._dropped: set[int] = set()
        self._unsorted: list[pa.Array] = []
        self._buckets: list[list[_Part]] = [[] for _ in range(_BUCKETS)]
        self._keys_read: tuple[int, pa.RecordBatch] = (-1, None)
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "postpress-spool")
        self._adding: Future[None] = Future()
        self._adding.set_result(None)

    def close(self) -> None:
        """Delete the file, and hand back the memory that batches were in: the load comes next.

        Raises:
            PostpressRequestError: It couldn't be written. Until here that is an OSError, which no
                walk takes for the trouble of its account.
        """
        self._worker.shutdown()
        self._file.close()
        pa.default_memory_pool().release_unused()
        if isinstance(error := self._adding.exception(), OSError):
            raise _of_disk(error) from error

    def add(self, walk: int, pages: Sequence[Page]) -> None:
        """Append pages of a walk, while the caller asks for the next page."""
        with self._lock:
            self._waiting.append((walk, pages))
            for page in pages:
                self._full += len(page.chats) / _BATCH_CHATS + len(page.text or b"") / TABLE_BYTES
            if self._full >= 1:
                self._write_waiting()

    def drop(self, walk: int) -> None:
        """Forget all chats of a walk, those added later included."""
        self._dropped.add(walk)

    def find(self, walk: int, chat_ids: Collection[str]) -> set[str]:
        """Those of the ids that a walk has added; others may go on adding."""
        wanted, found = pa.array(chat_ids, TEXT), set[str]()
        with self._lock:
            for keys in self._keys_of(walk):
                found.update(keys["id"].filter(pc.is_in(keys["id"], wanted)).to_pylist())
                if len(found) == len(wanted):
                    break
        return found

    def keys(self, walks: Collection[int]) -> dict[int, pa.Table]:
        """By walk, the `KEYS` of all that it has added, in no particular order."""
        with self._lock:
            return {walk: pa.Table.from_batches(self._keys_of(walk), KEYS) for walk in walks}

    def ids(self, walks: Collection[int], accounts: Collection[str]) -> dict[str, list[str]]:
        """Of each of these accounts the chats that the walks have added."""
        if not (walks and accounts):
            return {}
        keys = pa.concat_tables(self.keys(walks).values())
        of = {account: pc.equal(keys["account_id"], account) for account in accounts}
        return {account: keys["id"].filter(mask).to_pylist() for account, mask in of.items()}

    def _keys_of(self, walk: int) -> Iterator[pa.RecordBatch]:
        """The keys of a walk, latest first: a page that repeats others repeats the latest."""
        self._write_waiting().result()
        for number, first, rows in reversed(self._runs.get(walk, ())):
            if number != self._keys_read[0]:  # small walks are neighbours in a batch
                # a copy, which doesn't hold the memory of all columns
                keys = self._read(self._batches[number], CHATS).select(KEYS.names).serialize()
                self._keys_read = number, pa.ipc.read_record_batch(keys, KEYS)
            yield self._keys_read[1].slice(first, rows)

    def tables(self) -> Iterator[pa.Table]:
        """All chats that weren't dropped, each id once, as last added; `TABLE_BYTES` or so a table.

        Call it once, after the last `add`.
        """
        self._write_waiting().result()
        self._adding = self._worker.submit(self._sort)
        self._adding.result()
        kept = self._kept()
        pending: list[pa.RecordBatch] = []
        size = 0
        for part, start, end in zip(self._batches, self._ends, self._ends[1:], strict=False):
            batch, rows = self._read(part, CHATS), kept[start:end]
            pending.append(batch if all(rows) else batch.filter(pa.array(map(bool, rows))))
            size += pending[-1].nbytes
            if size >= TABLE_BYTES:
                yield pa.Table.from_batches(pending, CHATS)
                pending, size = [], 0
        if pending:
            yield pa.Table.from_batches(pending, CHATS)

    def _kept(self) -> bytearray:
        """For each row 1 if it lands, else 0."""
        kept = bytearray(b"\1") * self._ends[-1]
        for walk in self._dropped:
            for number, first, rows in self._runs.get(walk, ()):
                start = self._ends[number] + first
                kept[start : start + rows] = bytes(rows)
        for parts in self._buckets:
            bucket = pa.Table.from_batches([self._read(part, _PLACES) for part in parts], _PLACES)
            if len(bucket["id"].unique()) < bucket.num_rows:
                last: dict[str, int] = {}
                for chat_id, row in zip(*map(pa.ChunkedArray.to_pylist, bucket), strict=True):
                    if kept[row]:
                        kept[last.get(chat_id, row)] = 0
                        kept[row], last[chat_id] = 1, row
        return kept

    def _write_waiting(self) -> Future[None]:
        self._adding.result()  # one at a time, so that what waits stays small
        if self._waiting:
            self._adding = self._worker.submit(self._write, self._waiting)
            self._waiting, self._full = [], 0.0
        return self._adding

    def _write(self, waiting: Sequence[tuple[int, Sequence[Page]]]) -> None:
        first, chats = 0, []
        for walk, pages in waiting:
            chats += [chat for page in pages for chat in page.chats]
            self._runs[walk].append((len(self._batches), first, len(chats) - first))
            first = len(chats)
        batch = to_batch(chats)
        self._batches.append(self._append(batch))
        self._ends.append(self._ends[-1] + len(chats))
        self._unsorted.append(batch["id"])
        if sum(map(len, self._unsorted)) >= _SORTED_CHATS:
            self._sort()

    def _sort(self) -> None:
        """Put the ids since last time into the buckets, each with its row."""
        ids = pa.chunked_array(self._unsorted, TEXT).combine_chunks()
        self._unsorted = []
        marks = [crc32(chat_id) % _BUCKETS for chat_id in ids.cast(pa.binary()).to_pylist()]
        order = pc.sort_indices(pa.array(marks, pa.uint8()))
        rows = pc.add(order, pa.scalar(self._ends[-1] - len(ids), pa.uint64()))
        places = pa.record_batch([ids.take(order), rows], _PLACES)
        first = 0
        for mark, size in sorted(Counter(marks).items()):
            self._buckets[mark].append(self._append(places.slice(first, size)))
            first += size

    def _append(self, batch: pa.RecordBatch) -> _Part:
        start, size = self._file.seek(0, os.SEEK_END), 0
        message = memoryview(batch.serialize())
        while size < len(message):  # the last that fits on a disk is written in part
            size += self._file.write(message[size:])
        return start, size

    def _read(self, part: _Part, schema: pa.Schema) -> pa.RecordBatch:
        self._file.seek(part[0])
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(part[1])), schema)


def _of_disk(error: OSError) -> PostpressRequestError:
    return PostpressRequestError(
        f"The temporary file in which chats wait can't be written: {error.strerror}",
        where=tempfile.tempdir and f"a file without a name in {tempfile.tempdir}",
        next_step="Free space there, or name a folder on a larger disk in TMPDIR.",
    )

"""Where a run's chats wait until every walk is done: a temporary file, flat in memory.

Nothing is handed to dlt before all walks have ended. So a run that dies leaves nothing behind, a
walk that is restarted or given up takes its chats with it, and a chat that was listed twice (the
list moved while it was read) lands once, as it was last seen.

Duplicates are found without remembering every id: a bitmap of fixed size tells which ids *may*
have been added before, and only those few are resolved, exactly, when the file is read back.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.api.answers import Page
from postpress_source.chats.tables import CHATS, TEXT, to_batch

TABLE_BYTES: Final = 4 * 2**20
_BITMAP_BYTES: Final = 8 * 2**20
KEYS: Final = pa.schema([CHATS.field("id"), CHATS.field("account_id")])


class SeenIds:
    """Ids that may have come before. Never wrong about a new id.

    Args:
        bitmap_bytes: Its size, a power of two. With 2 MiB 3 in 100 of 500,000 different ids seem to
            have come before, with four times the size a fourth of them.
    """

    def __init__(self, bitmap_bytes: int = 2 * 2**20) -> None:
        self._bits = bytearray(bitmap_bytes)

    def add(self, chat_ids: Iterable[str]) -> list[str]:
        """Add ids. Returns those that may have come before, in this call or an earlier one."""
        bits, last = self._bits, len(self._bits) * 8 - 1
        before = []
        for chat_id in chat_ids:
            bit = hash(chat_id) & last
            place, mask = bit >> 3, 1 << (bit & 7)
            if bits[place] & mask:
                before.append(chat_id)
            else:
                bits[place] |= mask
        return before


class Spool:
    """A temporary file of record batches, each belonging to a walk. Threads may share it.

    The file has no name in any folder, so that nothing of it outlives the process.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="postpress-")  # noqa: SIM115 - close() does
        self._writer = pa.ipc.new_stream(self._file, CHATS)
        self._walks: list[int] = []
        self._dropped: set[int] = set()
        self._seen = SeenIds(_BITMAP_BYTES)
        self._repeated: set[str] = set()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "postpress-spool")
        self._adding: Future[None] = Future()
        self._adding.set_result(None)

    def close(self) -> None:
        """Delete the file, and hand back the memory that batches were in: the load comes next."""
        self._worker.shutdown()
        self._file.close()
        pa.default_memory_pool().release_unused()

    def add(self, walk: int, pages: Sequence[Page]) -> None:
        """Append pages of a walk, while the caller asks for the next page."""
        with self._lock:
            self._adding.result()  # one at a time, so that what waits stays small
            self._adding = self._worker.submit(self._add, walk, pages)

    def _add(self, walk: int, pages: Sequence[Page]) -> None:
        chats = [chat for page in pages for chat in page.chats]
        self._writer.write_batch(to_batch(chats))
        self._repeated.update(self._seen.add(chat.id for chat in chats))
        self._walks.append(walk)

    def drop(self, walk: int) -> None:
        """Forget all chats of a walk, those added later included."""
        with self._lock:
            self._dropped.add(walk)

    def find(self, walk: int, chat_ids: Collection[str]) -> set[str]:
        """Those of the ids that a walk has added; others may go on adding."""
        wanted = pa.array(sorted(chat_ids), TEXT)
        with self._lock:
            self._adding.result()
            mine = (batch for _, of, batch in self._batches() if of == walk)
            rows = [row for batch in mine for row in _rows_of(batch, wanted)]
            self._file.seek(0, os.SEEK_END)
        return {chat_id for chat_id, _ in rows}

    def keys(self, walks: Collection[int]) -> dict[int, pa.Table]:
        """By walk, `id` and `account_id` of all that it has added, when no walk is running."""
        batches: dict[int, list[pa.RecordBatch]] = {walk: [] for walk in walks}
        self._adding.result()
        for _, walk, batch in self._batches():
            if walk in batches:
                batches[walk].append(batch.select(KEYS.names))
        self._file.seek(0, os.SEEK_END)
        return {walk: pa.Table.from_batches(parts, KEYS) for walk, parts in batches.items()}

    def tables(self) -> Iterator[pa.Table]:
        """All chats that weren't dropped, each id once, as last added; `TABLE_BYTES` or so a table.

        Call it once, after the last `add`.
        """
        self._adding.result()
        self._writer.close()
        del self._seen
        last = self._last_places()
        repeated = pa.array(last, TEXT)
        pending: list[pa.RecordBatch] = []
        size = 0
        for place, batch in self._kept():
            pending.append(_without_earlier(batch, place, repeated, last))
            size += pending[-1].nbytes
            if size >= TABLE_BYTES:
                yield pa.Table.from_batches(pending, CHATS)
                pending, size = [], 0
        if pending:
            yield pa.Table.from_batches(pending, CHATS)

    def _last_places(self) -> dict[str, int]:
        """Where each id that was added more than once was added last."""
        if not self._repeated:
            return {}
        candidates = pa.array(sorted(self._repeated), TEXT)
        last: dict[str, int] = {}
        again: set[str] = set()
        for place, batch in self._kept():
            for chat_id, row in _rows_of(batch, candidates):
                if chat_id in last:
                    again.add(chat_id)
                last[chat_id] = place + row
        return {chat_id: last[chat_id] for chat_id in again}

    def _kept(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The batches that weren't dropped, each with the place of its first row."""
        batches = self._batches()
        return ((place, batch) for place, of, batch in batches if of not in self._dropped)

    def _batches(self) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        """All batches, each with the place of its first row, and its walk."""
        if not self._walks:
            return
        self._file.seek(0)
        place = 0
        for walk, batch in zip(self._walks, pa.ipc.open_stream(self._file), strict=True):
            yield place, walk, batch
            place += batch.num_rows


def _without_earlier(
    batch: pa.RecordBatch, place: int, repeated: pa.Array, last: dict[str, int]
) -> pa.RecordBatch:
    """The batch without the rows that were added again later."""
    earlier = [
        row
        for chat_id, row in (_rows_of(batch, repeated) if last else ())
        if last[chat_id] > place + row
    ]
    if not earlier:
        return batch
    return batch.filter(pc.invert(pc.is_in(pa.array(range(batch.num_rows)), pa.array(earlier))))


def _rows_of(batch: pa.RecordBatch, chat_ids: pa.Array) -> Iterator[tuple[str, int]]:
    """The rows of a batch that have one of the ids, each with its id."""
    rows = pc.indices_nonzero(pc.is_in(batch["id"], chat_ids))
    return zip(batch["id"].take(rows).to_pylist(), rows.to_pylist(), strict=True)

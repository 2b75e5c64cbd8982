"""Where a run's chats wait until every walk is done: a temporary file, flat in memory.

Nothing is handed to dlt before all walks have ended. So a run that dies leaves nothing behind, a
walk that is restarted or given up takes its chats with it, and a chat that was listed twice (the
list moved while it was read) lands once, as it was last seen.

Duplicates are found without remembering every id: a bitmap of fixed size tells which ids *may*
have been added before, and only those few are resolved, exactly, when the file is read back.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.records import Chat
from postpress_source.tables import CHATS, TEXT, to_batch

_BITMAP_BYTES: Final = 2 * 2**20
TABLE_ROWS: Final = 10_000


class SeenIds:
    """Ids that may have come before. Never wrong about a new id; 3 in 100 by chance at 500,000."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITMAP_BYTES)

    def add(self, chat_id: str) -> bool:
        """Add an id. Returns whether it may have been added before."""
        place, bit = divmod(hash(chat_id) % (_BITMAP_BYTES * 8), 8)
        mask = 1 << bit
        before = self._bits[place] & mask
        self._bits[place] |= mask
        return bool(before)


class Spool:
    """A temporary file of record batches, each belonging to a walk. Threads may share it.

    The file has no name in any folder, so that nothing of it outlives the process.

    Attributes:
        drifted: Walks that met a chat twice, known once `tables` has been read: the list moved
            under them, so they may as well have missed one.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="postpress-")  # noqa: SIM115 - close() does
        self._writer = pa.ipc.new_stream(self._file, CHATS)
        self._walks: list[int] = []
        self._dropped: set[int] = set()
        self._seen = SeenIds()
        self._repeated: set[str] = set()
        self._lock = threading.Lock()
        self.drifted: set[int] = set()

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def add(self, walk: int, chats: Sequence[Chat]) -> None:
        """Append chats of a walk."""
        batch = to_batch(chats)
        with self._lock:
            self._repeated.update(chat.id for chat in chats if self._seen.add(chat.id))
            self._writer.write_batch(batch)
            self._walks.append(walk)

    def drop(self, walk: int) -> None:
        """Forget all chats of a walk, those added later included."""
        with self._lock:
            self._dropped.add(walk)

    def tables(self) -> Iterator[pa.Table]:
        """All chats that weren't dropped, each id once, as last added; `TABLE_ROWS` or so a table.

        Call it once, after the last `add`.
        """
        self._writer.close()
        last = self._last_places()
        pending: list[pa.RecordBatch] = []
        for place, walk, batch in self._kept():
            pending.append(self._without_earlier(batch, place, walk, last))
            if sum(kept.num_rows for kept in pending) >= TABLE_ROWS:
                yield pa.Table.from_batches(pending, CHATS)
                pending = []
        if pending:
            yield pa.Table.from_batches(pending, CHATS)

    def _last_places(self) -> dict[str, tuple[int, int]]:
        """Where each id that may be repeated was added last, and by which walk."""
        if not self._repeated:
            return {}
        repeated = pa.array(sorted(self._repeated), TEXT)
        return {
            chat_id: (place + row, walk)
            for place, walk, batch in self._kept()
            for chat_id, row in _rows_of(batch, repeated)
        }

    def _kept(self) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        """The batches that weren't dropped, each with the place of its first row and its walk."""
        self._file.seek(0)
        place = 0
        for walk, batch in zip(self._walks, pa.ipc.open_stream(self._file), strict=True):
            if walk not in self._dropped:
                yield place, walk, batch
            place += batch.num_rows

    def _without_earlier(
        self, batch: pa.RecordBatch, place: int, walk: int, last: dict[str, tuple[int, int]]
    ) -> pa.RecordBatch:
        earlier = []
        for chat_id, row in _rows_of(batch, pa.array(last, TEXT)) if last else ():
            last_place, last_walk = last[chat_id]
            if last_place > place + row:
                earlier.append(row)
                if last_walk == walk:
                    self.drifted.add(walk)
        if not earlier:
            return batch
        return batch.filter(pc.invert(pc.is_in(pa.array(range(batch.num_rows)), pa.array(earlier))))


def _rows_of(batch: pa.RecordBatch, chat_ids: pa.Array) -> Iterator[tuple[str, int]]:
    """The rows of a batch that have one of the ids, each with its id."""
    rows = pc.indices_nonzero(pc.is_in(batch["id"], chat_ids))
    return zip(batch["id"].take(rows).to_pylist(), rows.to_pylist(), strict=True)

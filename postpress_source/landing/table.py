"""What the destination has, as far as a run has to know. To be used inside the running resource.

Asking changes nothing. A destination that can't be asked from where the source runs gives None, and
then nothing is deleted, and everything that was read is handed over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.schema import Schema

from postpress_source.chats.tables import TEXT
from postpress_source.chats.versions import VERSION, VersionSet
from postpress_source.landing.look import LOOK, Look, active_after, look, unread
from postpress_source.landing.shape import Shape
from postpress_source.walks.sweep import Unread

logger = logging.getLogger("postpress_source")

_Answer = TypeVar("_Answer")
_MOST_IDS: Final = 5_000
"""Beyond, the accounts' rows are asked for and not the chats', so that there are few queries."""


@dataclass(frozen=True, slots=True)
class Known:
    """Which chats have been read before, of those that head walks read.

    Attributes:
        below: Those last active before it.
        grounds: By account (None: all), not those last active before it: a walk read on below.
    """

    below: datetime
    grounds: Mapping[str | None, datetime]

    def is_below_ground(self, account: str | None, at: datetime) -> bool:
        """Whether such a chat is read because a walk read on, or was swept."""
        ground = self.grounds.get(account) or self.grounds.get(None)
        return ground is not None and at < ground


class Table:
    """The tables `chats` and `chats_history` of the pipeline's destination.

    Args:
        shape: What they are called, and how they are kept.
        empty: Whether there certainly are none yet.
        history: Whether history is kept.
        waiting: Whether earlier loads are still to come, so that no row can be told to be the same.

    Attributes:
        doubled: Whether a chat was seen to be there twice.
    """

    def __init__(
        self, shape: Shape, *, empty: bool = False, history: bool = False, waiting: bool = False
    ) -> None:
        self._shape = shape
        self._history = history
        self._empty = empty
        self._blind = waiting
        self._accounts: set[str] = set()
        self._chats, self._versions = VersionSet(), VersionSet()
        self._keys = LOOK.empty_table()
        self._absent: set[str] = set()
        self.doubled = False

    def keys(self, accounts: Collection[str], account_type: str | None) -> pa.Table | None:
        """`id` and `account_id` of what is there of these accounts, in either table.

        Of this type, where one is given; None if it can't be asked.
        """
        of_type = {} if account_type is None else {"account_type": [account_type]}
        looks = self._look({"account_id": accounts, **of_type})
        if looks is None:
            return None
        if not of_type:
            self._accounts |= set(accounts)
        chats, history = looks if self._shape.can_delete else (LOOK.empty_table(), looks[1])
        only = history.filter(pc.invert(pc.is_in(history["id"], chats["id"].combine_chunks())))
        self._keys = pa.concat_tables([chats, only])
        return self._keys.select(["id", "account_id"])

    def all(self) -> pa.Table | None:
        """`id` and `account_id` of every row of `chats`; None if it can't be asked."""
        newest_by = "_dlt_load_id" if self._shape.appended else None
        what = Look(self._shape.names.chats, newest_by, has_versions=False)
        rows = None if self._empty else self.ask(lambda c: look(c, self._shape, what, {}))
        return None if rows is None else rows.select(["id", "account_id"])

    def active_after(
        self, ends: Sequence[tuple[str | None, datetime | None]]
    ) -> Sequence[Mapping[str, datetime]] | None:
        """For each account (None: all) the ids of its rows with a later `timestamp`, and that."""
        if self._empty or not self._shape.array_tables:
            return None
        rows = self.ask(lambda client: active_after(client, self._shape, ends))
        if rows is None:
            return None
        found: list[dict[str, datetime]] = [{} for _ in ends]
        for number, chat_id, at in rows:
            found[number][chat_id] = at
        return found

    def unread(self, most: int) -> Sequence[Unread] | None:
        """So many of the rows of unread chats, the newest first; None if it can't be asked."""
        if self._empty or not self._shape.array_tables:
            return None
        return self.ask(lambda client: unread(client, self._shape, most))

    def accounts_of(self, chat_ids: Collection[str]) -> Mapping[str, str | None]:
        """The account of each of these chats, as far as it was asked for."""
        rows = self._keys.filter(pc.is_in(self._keys["id"], pa.array(sorted(chat_ids), TEXT)))
        return dict(zip(rows["id"].to_pylist(), rows["account_id"].to_pylist(), strict=True))

    def lacks(self, chats: pa.Table, *, everything: bool) -> tuple[pa.Array, pa.Array]:
        """Which of these chats, as they are now, `chats` lacks, and which `chats_history` lacks.

        Args:
            chats: With `id`, `account_id` and `version`.
            everything: Whether `chats` is to be given all, there or not.
        """
        if not (self._empty or self._blind):
            self._ask_for(chats)
        versions = chats[VERSION].to_pylist()
        every = pa.array([True] * len(versions), pa.bool_())
        if self._empty or self._blind:
            return every, every
        new = self._chats.lacks(versions)
        # as good as always both have the same
        same = not self._history or self._versions == self._chats
        new_in_history = new if same else self._versions.lacks(versions)
        return every if everything else new, new_in_history

    def has_lost(self, chats: pa.Table, known: Known) -> bool:
        """Whether a chat that is known has no row at all."""
        old = pc.less(chats["timestamp"], pa.scalar(known.below, chats["timestamp"].type))
        rows = chats.select(["id", "account_id", "timestamp"]).filter(old)
        columns = map(pa.ChunkedArray.to_pylist, rows.columns if self._absent else ())
        return any(
            chat_id in self._absent and not known.is_below_ground(account, at)
            for chat_id, account, at in zip(*columns, strict=True)
        )

    def _ask_for(self, chats: pa.Table) -> None:
        """Ask for what isn't known yet of these chats."""
        accounts = pa.array(sorted(self._accounts), chats["account_id"].type)
        asked = pc.is_in(chats["account_id"], accounts)
        others = chats.filter(pc.invert(asked))
        if not others.num_rows:
            return
        of_others = set(others["account_id"].to_pylist())
        if others.num_rows > _MOST_IDS and None not in of_others:
            self._accounts |= of_others
            self._blind = self._look({"account_id": of_others}) is None
        else:
            ids = others["id"].to_pylist()
            looks = self._look({"id": ids})
            self._blind = looks is None
            if looks is not None:
                self._absent |= {*ids} - {*looks[0]["id"].to_pylist()}

    def _look(self, values: Mapping[str, Collection[str]]) -> tuple[pa.Table, pa.Table] | None:
        """The rows whose columns have one of these values each, in both tables."""
        if self._empty:
            return LOOK.empty_table(), LOOK.empty_table()
        names, shape = self._shape.names, self._shape
        newest_by = "_dlt_load_id" if shape.appended else None
        tables = [Look(names.chats, newest_by, has_versions=False)]
        if self._history:
            newest_by = "seen_from" if shape.versions_apart else None
            tables.append(Look(names.history, newest_by, has_versions=True))
        found = self.ask(lambda client: [look(client, shape, table, values) for table in tables])
        if found is None:
            return None
        chats, *history = found
        ids = chats["id"]
        if pc.count_distinct(ids).as_py() < len(ids):
            self.doubled = True
            counts = pc.value_counts(ids)
            twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
            self._chats.add(chats.filter(pc.invert(pc.is_in(ids, twice)))[VERSION])
        else:
            self._chats.add(chats[VERSION])
        current = history[0] if history else LOOK.empty_table()
        self._versions.add(current[VERSION])
        return chats, current

    def ask(self, question: Callable[[Any], _Answer]) -> _Answer | None:
        """What a function of the destination's client returns; None if it can't be asked."""
        try:
            with self._client() as client:
                return question(client)
        except Exception as error:  # drivers' own, where dlt doesn't wrap them
            if _is_interrupt(error):
                raise
            logger.info("The destination can't be asked from here: %s", type(error).__name__)
            return None

    @contextmanager
    def _client(self) -> Iterator[Any]:
        # not the public sql_client(): the pipeline doesn't know a schema this new
        schema: Schema = dlt.current.source_schema()
        client = dlt.current.pipeline()._get_destination_clients(schema)[0]  # noqa: SLF001
        with client:
            yield client


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it comes from Ctrl-C, which DuckDB turns into a RuntimeError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None

"""The user's steps on the resource: each table of chats goes through them, and what comes lands.

The resource yields one kind of item, Arrow tables of chats with their lists. So that is what the
user's maps, filters, limits and transformers meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract.items import DataItemWithMeta, ResolvablePipeItem, TableNameMeta
from dlt.extract.items_transform import FilterItem, ItemTransform
from dlt.extract.pipe import ForkPipe, Pipe
from dlt.extract.state import get_current_pipe

from postpress_source.chats.tables import TEXT
from postpress_source.errors import PostpressArgumentError
from postpress_source.landing.given import as_table, no_table


def lands() -> bool:
    """Whether the running resource's own items land, and not only those of its transformers."""
    pipe = cast(Pipe, get_current_pipe())
    forks = [step for step in pipe.steps if isinstance(step, ForkPipe)]
    return all(fork.has_pipe(pipe) for fork in forks)


class Steps:
    """The steps of the running resource's pipe, and behind them a last one.

    Args:
        name: What the table of chats is called.
        land: What is to be done with a table that has come through.

    Attributes:
        other_ids: Whether a step has given chats other ids than the API does.
    """

    def __init__(self, name: str, land: Callable[[pa.Table], Iterator[Any]]) -> None:
        self._name = name
        self._land = land
        self._pipe = cast(Pipe, get_current_pipe())
        self._asked: pa.Array = pa.array([], TEXT)
        self._ids: set[str] = set()
        self._begun = self._closed = False
        self._open = self._given = self._landed = 0
        self.other_ids = False

    @property
    def whole(self) -> bool:
        """Whether all chats have come through, as those that they were."""
        return self._given == self._landed and not self.other_ids

    def give(self, tables: Iterable[pa.Table]) -> Iterator[Any]:
        """The items to yield for tables of chats."""
        steps = self._pipe.steps
        for number, step in enumerate(steps):
            if isinstance(step, ItemTransform):
                steps[number] = self._counting(step)
        steps.append(self._last)
        for table in tables:
            self._asked = table["id"].combine_chunks()
            self._given += table.num_rows
            self._begun = False
            self._ids = set()
            yield table
            while self._open or not self._begun:  # dlt may take its time, and steps may yield more
                yield None

    def past(self, item: Any) -> ResolvablePipeItem:
        """An item that goes to dlt as it is."""
        marked = isinstance(item, DataItemWithMeta)
        data, meta = (item.data, item.meta) if marked else (item, None)
        return ResolvablePipeItem(data, len(self._pipe) - 1, self._pipe, meta)

    def close(self) -> None:
        """Take nothing any more."""
        self._closed = True

    def _counting(self, step: Any) -> Any:
        """A step of the pipe, of which it is known when it has given all that it gives."""
        ask = _of_rows(step) if isinstance(step, FilterItem) else step

        def counted(item: Any, meta: Any = None) -> Any:
            self._begun = True
            try:
                result = ask(item, meta)
            except (TypeError, AttributeError) as error:
                if isinstance(item, pa.Table):
                    raise no_table(error) from error
                raise
            return self._count(result) if isinstance(result, Iterator) else result

        return counted

    def _count(self, items: Iterator[Any]) -> Iterator[Any]:
        self._open += 1

        def counted() -> Iterator[Any]:
            yield from items
            self._open -= 1

        return counted()

    def _last(self, item: Any, meta: Any = None) -> Any:
        """The last step: what has come through the user's own."""
        self._begun = True
        if isinstance(meta, TableNameMeta) and meta.table_name != self._name:
            return item  # a table of the user's own
        if self._closed:
            raise PostpressArgumentError(
                "A step on the resource gave chats after the run had ended",
                next_step="Let it give its items at once: add_map, add_filter or add_yield_map.",
            )
        table = as_table(item)
        ids = table["id"].to_pylist()
        if len(ids) > len(set(ids)) or not self._ids.isdisjoint(ids):
            raise PostpressArgumentError(
                "A step on the resource gives a chat twice",
                next_step="A row of chats is a chat, its id the key. For several rows of one, use "
                "a transformer with a table of its own.",
            )
        self._ids.update(ids)
        self._landed += table.num_rows
        self.other_ids |= not pc.all(pc.is_in(table["id"], self._asked), min_count=0).as_py()
        return self._count(self._land(table))


def _of_rows(step: FilterItem) -> Callable[[Any, Any], Any]:
    """A filter, asked of each row; of the table as a whole only where a row is nothing for it.

    A table's column compared with a value by Python's operators is one answer for all, and wrong.
    """

    def kept(item: Any, meta: Any) -> Any:
        if not isinstance(item, pa.Table) or "id" not in item.column_names:
            return step(item, meta)
        try:
            rows = step(item.to_pylist(), meta) or []
        except (TypeError, AttributeError, LookupError):
            return step(item, meta)
        ids = pa.array([row["id"] for row in rows], TEXT)
        return item.filter(pc.is_in(item["id"], ids)) if rows else None

    return kept

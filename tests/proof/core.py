"""The decisions alone, behind the same face as the whole pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from postpress_source.walks.walk import Walk
from postpress_source.walks.watermark import ALL_VISIBLE, Memory, read_memories
from tests.proof.judge import Walked
from tests.proof.listing import Order, Row
from tests.proof.tales import WatchedWorld
from tests.proof.warehouse import Warehouse, filters_of


class Core:
    """The decisions, without HTTP and dlt."""

    def __init__(self, world: WatchedWorld) -> None:
        self.warehouse = Warehouse(world, 5)

    def run(self, order: Order) -> Sequence[Walked]:
        scope = filters_of(order, 1).scope()
        before = read_memories(self.warehouse.state, scope)
        walks = self.warehouse.run(order)
        after = read_memories(self.warehouse.state, scope)
        return [
            walked(walk, moved=unit in after and after[unit].watermark != _watermark(before, unit))
            for walk in walks
            for unit in [walk.account_id or ALL_VISIBLE]
        ]

    def table(self) -> Mapping[str, Row]:
        return self.warehouse.rows


def _watermark(memories: Mapping[str, Memory], unit: str) -> datetime | None:
    return memories.get(unit, Memory()).watermark


def walked(walk: Walk, *, moved: bool) -> Walked:
    return Walked(
        walk.account_id,
        str(walk.kind),
        walk.to_the_end,
        walk.complete,
        walk.error is not None,
        sum(len(verdict.kept) for verdict in walk.verdicts.values()),
        moved,
        walk.unchanged,
    )

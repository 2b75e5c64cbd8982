"""What the page says of the past: what vanished, and the backlog by day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import dlt

from postpress_source.cli.walks import Walk


@dataclass(frozen=True, slots=True)
class Day:
    """The backlog at the end of a day."""

    day: date
    waiting: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """What one run found to be gone, or to be missing without proof."""

    walk: Walk
    deleted: int
    missing: int


def backlog_by_day(pipeline: dlt.Pipeline) -> Sequence[Day] | None:
    """The backlog by day, oldest first; None where no history is kept.

    The table `chats_history` will tell it; nothing else knows what was unread on an earlier day.
    """
    del pipeline
    return None


def vanished(walks: Iterable[Walk]) -> list[Vanished]:
    """Walks after which chats were deleted or missing, newest first, as the ledger has them."""
    found = (Vanished(w, w["chats_deleted"] or 0, w["chats_missing"] or 0) for w in walks)
    return [each for each in found if each.deleted or each.missing]

"""Which chats are gone. Pure, and the only place that decides what may be deleted.

The API never says that a chat was deleted; all there is is a list that doesn't show it. A list can
be short for many reasons: it moved while it was read, a filter, an account that is coming back. So
a chat is gone only if

1. a complete full walk of its account, which listed some of the account's chats, didn't list it;
2. a second look at that account, right afterwards, listed all the others and not this chat either;
3. and no more are missing than the full walk before this one had found missing and kept, but for
   one chat or a tenth of the account's rows; nor fewer: then the account is coming back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAUSIBLE: Final = 0.1
"""The share of an account's rows that may be missing all at once; or one row."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A second walk of one account, to its end.

    Attributes:
        listed: Those of the missing chats that it listed.
        lost: How many chats it didn't list that the walk before it had listed.
    """

    listed: frozenset[str] = frozenset()
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one account after a walk.

    Attributes:
        whole: The walk was a full one, to the end, asked for all the account's chats (but for
            their type), and what came is what was asked for.
        listed: How many chats of the account it listed.
        rows: How many rows the table had of it, of the type asked for.
        missing: The ids of those rows that it didn't list.
        missing_before: How many the full walk before it had found missing, if they were kept.
        second_look: None: there was none, or the account couldn't be read again.
    """

    whole: bool
    listed: int
    rows: int
    missing: frozenset[str]
    missing_before: int = 0
    second_look: SecondLook | None = None

    @property
    def calls_for_second_look(self) -> bool:
        """Whether something seems gone, and a second look can tell.

        An account that lists nothing at all may be away: that is no evidence.
        """
        return self.whole and self.listed > 0 and bool(self.missing)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about one account.

    Attributes:
        gone: The ids of rows to delete.
        kept: How many rows are missing and stay for now; a full walk is owed.
    """

    gone: frozenset[str] = frozenset()
    kept: int = 0


def judge(evidence: Evidence) -> Verdict:
    """Which of an account's rows are gone."""
    if not evidence.calls_for_second_look:
        return Verdict()
    second = evidence.second_look
    if second is None or second.lost:
        return Verdict(kept=len(evidence.missing))
    gone = evidence.missing - second.listed
    more = len(gone) - evidence.missing_before
    if 0 <= more <= max(1, PLAUSIBLE * evidence.rows):
        return Verdict(gone)
    return Verdict(kept=len(gone))

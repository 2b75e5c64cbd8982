"""Which chats are gone. Pure, and the only place that decides what may be deleted.

The API never says that a chat was deleted; all there is is a list that doesn't show it. A list can
be short for many reasons: it moved while it was read, a filter, an account that is coming back. So
a chat is gone only if

1. a complete full walk of its account, which listed some of the account's chats, didn't list it;
2. a second look at that account, right afterwards, listed all the others and not this chat either;
3. and that look was a single page, in which nothing can move while it is read, and few are missing:
   one chat, or a tenth of the account's rows; or the full walk before this one had found the chat
   missing, too, and none that it had found missing has been listed since.

A look of several pages has them end elsewhere than the walk's: where pages skip a chat, they would
skip it again.
"""

from __future__ import annotations

from base64 import b85decode, b85encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

_MOST_BYTES: Final = 4096
PLAUSIBLE: Final = 0.1
"""The share of an account's rows that may be missing all at once; or one row."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Chats that a full walk found missing and that were kept, in little space (a Bloom filter).

    Attributes:
        count: How many they are.
        bits: Where each of them has left its marks.
    """

    count: int
    bits: bytes

    @property
    def is_exact(self) -> bool:
        """Whether no other chat is taken for one of them: up to a thousand."""
        return len(self.bits) < _MOST_BYTES

    @classmethod
    def of(cls, chat_ids: Collection[str]) -> Missing:
        """These chats."""
        size = min(_MOST_BYTES, 4 * len(chat_ids) + 8)
        bits = bytearray(size)
        for chat_id in chat_ids:
            for place in _places(chat_id, size):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(len(chat_ids), bytes(bits))

    def __contains__(self, chat_id: str) -> bool:
        places = _places(chat_id, len(self.bits))
        return all(self.bits[place >> 3] >> (place & 7) & 1 for place in places)

    def to_state(self) -> list[Any]:
        """What `Missing(*...)` is made of, as JSON has it."""
        return [self.count, b85encode(self.bits).decode()]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Missing:
        """The chats that `to_state` wrote."""
        count, bits = state
        return cls(count, b85decode(bits))


def _places(chat_id: str, size: int) -> list[int]:
    digest = blake2b(chat_id.encode(), digest_size=24).digest()
    return [int.from_bytes(digest[at : at + 4]) % (size * 8) for at in range(0, 24, 4)]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A second walk of one account, to its end.

    Attributes:
        listed: Those of the missing chats that it listed.
        lost: How many chats it didn't list that the walk before it had listed.
        at_once: Whether it was a single page.
    """

    listed: frozenset[str] = frozenset()
    lost: int = 0
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one account after a walk.

    Attributes:
        whole: The walk was a full one, to the end, asked for all the account's chats (but for
            their type), and what came is what was asked for.
        listed: How many chats of the account it listed.
        rows: How many rows the table had of it, of the type asked for.
        missing: The ids of those rows that it didn't list.
        missing_before: What the full walk before it had found missing and kept; None: nothing.
        second_look: None: there was none, or the account couldn't be read again.
    """

    whole: bool
    listed: int
    rows: int
    missing: frozenset[str]
    missing_before: Missing | None = None
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
        kept: The ids of rows that are missing and stay, until another full walk agrees.
    """

    gone: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


def plausible(rows: int) -> float:
    """How many of an account's rows may be missing all at once."""
    return max(1, PLAUSIBLE * rows)


def judge(evidence: Evidence) -> Verdict:
    """Which of an account's rows are gone."""
    if not evidence.calls_for_second_look:
        return Verdict()
    second = evidence.second_look
    if second is None:
        return Verdict(kept=evidence.missing)
    missing, before = evidence.missing - second.listed, evidence.missing_before
    if second.lost:
        return Verdict(kept=missing)
    again = frozenset(chat_id for chat_id in missing if before and chat_id in before)
    if before and len(again) < before.count:
        return Verdict(kept=missing)  # the account is coming back
    if not second.at_once or len(missing - again) > plausible(evidence.rows):
        return Verdict(again, kept=missing - again)
    return Verdict(missing)

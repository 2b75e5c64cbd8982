"""What can happen to a world, each with the row of the guarantees that speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from postpress_source.sandbox import World
from tests.proof.guarantees import BY_NAME, Right

LOOKBACK: Final = timedelta(hours=1)
FAR: Final = datetime.fromisoformat("2099-01-01T00:00:00.000Z")
MINUTE: Final = timedelta(minutes=1)
PROVIDERS: Final = ("LINKEDIN", "WHATSAPP", "TELEGRAM")


@dataclass(frozen=True)
class Happened:
    """A sentence for the story, and of each chat it was about, when the table is right again.

    `sinks`: the chat can no longer be found near the top, whatever happened to it before.
    """

    told: str
    chats: Mapping[str, str]
    sinks: bool = False
    new_account: str | None = None


def instant(chat: Mapping[str, Any]) -> datetime | None:
    """The chat's timestamp as the API shows it."""
    text = chat.get("timestamp")
    return None if text is None else datetime.fromisoformat(text)


class Happenings:
    """Makes things happen in one world, with ids c1, c2, ... and a1, a2, ... that read well."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.peak = world.now
        """No watermark is later: the newest timestamp ever, or now once one was in the future."""
        self._future = False
        self._chats = 0
        self._accounts = 0

    def populate(self, accounts: int, chats: int, step: timedelta) -> None:
        """Connect accounts and give them chats, `step` apart, oldest last, in turns."""
        for _ in range(accounts):
            self._connect()
        for number in range(chats):
            self._new(list(self.world.accounts)[number % accounts], self.world.now - step * number)

    def happen(self, name: str, pick: int) -> Happened | None:
        """Let one of `HAPPENINGS` happen to the chat or account that `pick` chooses, if any."""
        self.world.advance(MINUTE, activity=0)
        happened = HAPPENINGS[name](self, pick)
        for chat in happened.chats if happened else ():
            at = instant(self.world.chat(chat)) if chat in self.world else None
            self._future = self._future or (at is not None and at > self.world.now)
            self.peak = max(self.peak, min(at or self.peak, self.world.now))
        if self._future:
            self.peak = self.world.now
        return happened

    # --- choosing --------------------------------------------------------------------------------

    def chat(self, pick: int) -> str | None:
        """A chat that is listed."""
        listed = sorted((chat["id"] for chat in self.world.relist()), key=_by_number)
        return listed[pick % len(listed)] if listed else None

    def account(self, pick: int) -> str:
        """A connected account."""
        there = [a.id for a in self.world.accounts.values() if a.connected]
        return there[pick % len(there)] if there else self._connect()

    def _connect(self) -> str:
        self._accounts += 1
        kind = PROVIDERS[(self._accounts - 1) % len(PROVIDERS)]
        return self.world.connect_account(kind, id=f"a{self._accounts}")

    def _new(self, account: str, at: datetime, **fields: Any) -> str:
        self._chats += 1
        # creation, which `order="by_id"` follows, has nothing to do with activity
        number = self._chats * 7919 % 1000
        return self.world.new_chat(account, id=f"c{self._chats}-{number:03}", at=at, **fields)

    # --- what happens ----------------------------------------------------------------------------

    def message(self, pick: int) -> Happened | None:
        """A chat gets a message."""
        chat = self.chat(pick)
        if chat is None:
            return None
        self.world.receive_message(chat)
        return Happened(f"{chat} gets a message", {chat: "message"})

    def new_chat(self, pick: int) -> Happened:
        """A chat is new, dated now."""
        chat = self._new(self.account(pick), self.world.now)
        return Happened(f"{chat} is new", {chat: "new chat"})

    def turn_up(self, pick: int, at: datetime, name: str) -> Happened:
        """A chat is new, dated `at`."""
        chat = self._new(self.account(pick), at)
        shown = instant(self.world.chat(chat))
        if shown is None or shown < self.peak - LOOKBACK:
            name = "very late chat"
        return Happened(f"{chat} turns up, dated {at:%d %H:%M}", {chat: name})

    def change(self, pick: int, what: str, **fields: Any) -> Happened | None:
        """Fields of a chat change without activity."""
        chat = self.chat(pick)
        if chat is None:
            return None
        self.world.edit(chat, **fields)
        return Happened(f"{chat} {what}", {chat: "state"})

    def lose_timestamp(self, pick: int) -> Happened | None:
        """A chat's timestamp becomes null."""
        chat = self.chat(pick)
        if chat is None:
            return None
        self.world.null_timestamp(chat)
        return Happened(f"{chat} loses its timestamp", {chat: "no timestamp"}, sinks=True)

    def no_timestamp(self, pick: int) -> Happened:
        """A chat is new and has no timestamp."""
        chat = self._new(self.account(pick), self.world.now, timestamp=None)
        return Happened(f"{chat} is new, without timestamp", {chat: "no timestamp"}, sinks=True)

    def move_back(self, pick: int) -> Happened | None:
        """A chat's timestamp becomes older."""
        chat = self.chat(pick)
        before = instant(self.world.chat(chat)) if chat else None
        if chat is None or before is None:
            return None
        self.world.edit(chat, timestamp=before - timedelta(hours=5))
        return Happened(f"{chat} moves back 5 h", {chat: "moved back"}, sinks=True)

    def delete(self, pick: int) -> Happened | None:
        """A chat is deleted."""
        chat = self.chat(pick)
        if chat is None:
            return None
        self.world.delete_chat(chat)
        return Happened(f"{chat} is deleted", {chat: "deleted"}, sinks=True)

    def connect(self, pick: int) -> Happened:
        """An account is connected and brings old chats, and perhaps one from now."""
        account = self._connect()
        old = [self._new(account, self.world.now - timedelta(hours=9 + n)) for n in range(3)]
        chats = dict.fromkeys(old, "hidden account")
        if pick % 2:
            chats[self._new(account, self.world.now)] = "visible account"
        return Happened(f"{account} is connected with {', '.join(chats)}", chats, False, account)


def _by_number(chat_id: str) -> int:
    return int(chat_id[1:].split("-", maxsplit=1)[0])


Happening = Callable[[Happenings, int], Happened | None]

HAPPENINGS: Final[dict[str, Happening]] = {
    "message": Happenings.message,
    "new chat": Happenings.new_chat,
    "tie": lambda h, pick: h.turn_up(pick, h.peak, "tie"),
    "late chat": lambda h, pick: h.turn_up(pick, h.world.now - MINUTE * (pick % 61), "late chat"),
    "very late chat": lambda h, pick: h.turn_up(
        pick, h.world.now - timedelta(hours=2 + pick), "late chat"
    ),
    "dated 2099": lambda h, pick: h.turn_up(pick, FAR, "dated 2099"),
    "read": lambda h, pick: h.change(pick, "is read", unread_count=0),
    "mark unread": lambda h, pick: h.change(pick, "is marked unread", unread_count=-1),
    "archive": lambda h, pick: h.change(pick, "is archived", archived=1),
    "pin": lambda h, pick: h.change(pick, "is pinned", pinned=1),
    "mute": lambda h, pick: h.change(pick, "is muted", muted_until=-1 if pick % 2 else FAR),
    "rename": lambda h, pick: h.change(pick, "is renamed", name=f"name {pick}"),
    "refile": lambda h, pick: h.change(pick, "is refiled", folder=["INBOX", "x"][: pick % 3]),
    "features": lambda h, pick: h.change(
        pick, "loses features", disabledFeatures=["reply"] * (pick % 3)
    ),
    "odd field": lambda h, pick: h.change(pick, "gets an odd field", odd={"pick": pick}),
    "lose timestamp": Happenings.lose_timestamp,
    "no timestamp": Happenings.no_timestamp,
    "move back": Happenings.move_back,
    "delete": Happenings.delete,
    "connect": Happenings.connect,
}
"""What can happen at any time, also while a walk runs."""


def right_after(name: str) -> Right:
    """When the table is right, by the row of the guarantees."""
    return BY_NAME[name].right

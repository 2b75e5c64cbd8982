"""What happens to single chats."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from . import clock, inbox
from .store import Chat, Row
from .workspace import Workspace

ABSENT: Final = object()
"""As a value for `World.edit` or `World.new_chat`: the key is missing."""


class ChangingWorkspace(Workspace):
    """A workspace in whose chats things happen."""

    def new_chat(
        self,
        account_id: str | None = None,
        *,
        id: str | None = None,
        at: datetime | None = None,
        created: datetime | None = None,
        **fields: Any,
    ) -> str:
        """List a new chat; returns its id.

        Args:
            account_id: Default: the first account, linked now if there is none.
            id: Default: made up.
            at: Its timestamp; default: the world's now. ``timestamp=None`` shows null.
            created: The hidden creation time; default: ``at``.
            fields: Any key of the chat, known or not; `ABSENT` leaves one out.
        """
        with self.lock:
            if account_id is None:
                account_id = next(iter(self.accounts), None) or self.connect_account()
            moment = self._now if at is None else clock.to_ms(at)
            chat_id = id or inbox.new_id("chat_", moment, self.rng)
            chat = {
                "object": "Chat",
                "id": chat_id,
                "account_id": account_id,
                "account_type": self.accounts[account_id].type,
                "provider_id": f"p-{chat_id}",
                "name": "Jo Doe",
                "type": 0,
                "timestamp": clock.to_text(moment),
                "unread_count": 0,
                "archived": 0,
                "muted_until": None,
                "read_only": 0,
                "folder": ["INBOX"],
                "pinned": 0,
            }
            _change(chat, fields)
            self.add(chat, moment if created is None else clock.to_ms(created))
            return chat_id

    def late_chat(
        self, account_id: str | None = None, *, behind: timedelta = timedelta(minutes=30)
    ) -> str:
        """List a new chat only now whose timestamp lies ``behind`` the world's now."""
        return self.new_chat(account_id, at=self.now - behind, unread_count=1)

    def repeat_chat(self, chat_id: str, **fields: Any) -> None:
        """List the chat a second time under its id, with ``fields`` changed; a stale twin.

        Later changes reach only the first; `delete_chat` takes both.
        """
        with self.lock:
            row = self._store.rows[chat_id]
            copies = len(self._store.copies.get(chat_id, ()))
            chat = row.chat()
            _change(chat, fields)
            self._store.add(Row(self._rounded(chat), row.created, copy=copies + 1))

    def edit(self, chat_id: str, **fields: Any) -> None:
        """Change any keys of a chat, known or not; `ABSENT` removes one, a datetime is formatted.

        Raises:
            KeyError: There is no such chat.
            ValueError: ``id`` and ``account_id`` never change; a timestamp has the API's form.
        """
        if not fields.keys().isdisjoint(("id", "account_id")):
            raise ValueError("a chat keeps its id and its account")
        with self.lock:
            row = self._store.rows[chat_id]
            chat = row.chat()
            _change(chat, fields)
            row.show(self._rounded(chat))
            self._store.place(row)

    def receive_message(self, chat_id: str, at: datetime | None = None) -> None:
        """One more unread message, at ``at`` (default: now); the timestamp never moves back."""
        with self.lock:
            row = self._store.rows[chat_id]
            moment = self._now if at is None else clock.to_ms(at)
            if row.shown is not None:
                moment = max(moment, row.shown)
            self._take_message(row, moment)

    def receive_delayed_message(
        self, chat_id: str, *, behind: timedelta = timedelta(hours=5)
    ) -> None:
        """One more unread message, and the chat moves *down*: the message's own date counts.

        The timestamp becomes ``behind`` older than it was; one that was null lies ``behind`` the
        world's now.
        """
        if behind <= timedelta(0):
            raise ValueError("a delayed message lies behind")
        with self.lock:
            row = self._store.rows[chat_id]
            shown = self._now if row.shown is None else row.shown
            self._take_message(row, shown - behind // timedelta(milliseconds=1))

    def _take_message(self, row: Row, moment: int) -> None:
        trickle = self.accounts[row.account_id].trickle
        if trickle is not None:  # it is what brings a chat back before its turn
            trickle.waiting.pop(row.id, None)
        count = row.chat().get("unread_count") or 0
        self.edit(row.id, timestamp=clock.to_text(moment), unread_count=max(count, 0) + 1)

    def read(self, chat_id: str) -> None:
        """No unread message any more; the timestamp stays, as with all that follow."""
        self.edit(chat_id, unread_count=0)

    def mark_unread(self, chat_id: str) -> None:
        """Marked unread by hand: the count is -1."""
        self.edit(chat_id, unread_count=-1)

    def archive(self, chat_id: str, archived: bool = True) -> None:
        """Archive a chat, or take it back."""
        self.edit(chat_id, archived=int(archived))

    def pin(self, chat_id: str, pinned: bool = True) -> None:
        """Pin a chat, or unpin it."""
        self.edit(chat_id, pinned=int(pinned))

    def mute(self, chat_id: str, until: datetime | int | None = -1) -> None:
        """Mute a chat for ever (-1) or until an aware datetime; None ends it."""
        self.edit(chat_id, muted_until=until)

    def rename(self, chat_id: str, name: str | None) -> None:
        """Give a chat another name, or none."""
        self.edit(chat_id, name=name)

    def refile(self, chat_id: str, folders: Iterable[str] | None) -> None:
        """Put a chat into these folders, in order; None drops the array."""
        self.edit(chat_id, folder=ABSENT if folders is None else list(folders))

    def disable_features(self, chat_id: str, features: Iterable[str] | None) -> None:
        """Set ``disabledFeatures``; None drops the array."""
        self.edit(chat_id, disabledFeatures=ABSENT if features is None else list(features))

    def null_timestamp(self, chat_id: str) -> None:
        """The timestamp becomes null."""
        self.edit(chat_id, timestamp=None)

    def delete_chat(self, chat_id: str) -> None:
        """The chat is listed no more; nothing else tells."""
        with self.lock:
            self._store.drop(chat_id)

    def mix_types(self, account_id: str, *types: str | None) -> None:
        """Every second chat of an account, by id, shows another ``account_type``, or null.

        Args:
            account_id: The account; it keeps its own type, and so do chats that come later.
            types: Taken in turns; default: another provider, and null.
        """
        with self.lock, self.batch():
            if not types:
                own = self.accounts[account_id].type
                types = (next(other for other in inbox.PROVIDERS if other != own), None)
            chat_ids = sorted({row.id for row in self._store.listed(account_id)})
            for number, chat_id in enumerate(chat_ids[::2]):
                self.edit(chat_id, account_type=types[number % len(types)])


def _change(chat: Chat, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if value is ABSENT:
            chat.pop(name, None)
        else:
            chat[name] = clock.to_text(clock.to_ms(value)) if isinstance(value, datetime) else value

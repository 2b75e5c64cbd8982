"""What happens to accounts, and to the whole list."""

from __future__ import annotations

from dataclasses import replace

from . import inbox
from .accounts import OK, Account, Trickle
from .options import Repeats
from .problems import DOCUMENTED, UNDOCUMENTED
from .visible import VisibleChats


class Workspace(VisibleChats):
    """A workspace whose accounts come, go, fall sick and come back."""

    def connect_account(
        self, type: str = "WHATSAPP", *, id: str | None = None, history: int = 0
    ) -> str:
        """Link an account that brings ``history`` chats of the last 400 days; returns its id.

        An account that had vanished comes back, with all its chats.
        """
        with self.lock, self.batch():
            account_id = id or inbox.new_id("acc_", self._now, self.rng)
            if account_id in self.accounts:
                self.heal_account(account_id)
            account = self.accounts.setdefault(account_id, Account(account_id, type))
            for _ in range(history):
                self.add(*inbox.write_chat(self.rng, account_id, account.type, self._now))
            return account_id

    def disconnect_account(
        self, account_id: str, error: str | None = "errors/disconnected_account"
    ) -> None:
        """Make an account sick for good: requests that name it get this error, of any status.

        What other lists make of it is in `WorldOptions.comma_fails` and ``sick_in_list``.

        Args:
            account_id: The account.
            error: One of the 31 documented types or of `problems.UNDOCUMENTED` (400, 404, 422 and
                others); None: it vanishes without a trace.
        """
        if error is not None and error not in DOCUMENTED and error not in UNDOCUMENTED:
            raise ValueError(f"not one of the known error types: {error!r}")
        with self.lock:
            account = self.accounts[account_id]
            account.status, account.connected = error or OK, error is not None
            account.trickle = None

    def heal_account(self, account_id: str) -> None:
        """Make an account well, connected and wholly listed again."""
        with self.lock:
            account = self.accounts[account_id]
            account.status, account.connected, account.trickle = OK, True, None

    def trickle_account(
        self, account_id: str, first: int = 0, *, per_page: int = 0, per_hour: float = 0.0
    ) -> None:
        """Reconnect an account, its status OK at once, whose chats come back bit by bit.

        The lately active come first. A chat that is new or gets a message meanwhile is listed at
        once, and none that is back goes again. It ends when all are back, or with `heal_account`
        or `disconnect_account`; `relist` shows what is back, ``relist(whole=True)`` everything.

        Args:
            account_id: The account; well or not, it is now.
            first: How many of its chats are back at once.
            per_page: How many more with each page that the world serves, whatever list it is of.
            per_hour: How many more with each hour on the world's clock.
        """
        if min(first, per_page, per_hour) < 0:
            raise ValueError("chats trickle back, not away: all numbers are 0 or more")
        with self.lock:
            self.heal_account(account_id)
            rows = [r for r in self._store.listed(account_id) if not r.copy]
            rows.sort(key=lambda row: (-row.activity, row.id))
            waiting = {row.id: place for place, row in enumerate(rows[first:])}
            account = self.accounts[account_id]
            account.trickle = Trickle(waiting, per_page, per_hour, self.pages_served, self._now)

    def show_guest(self, chat_id: str, account_id: str) -> None:
        """From now on lists that name the account show this chat of another account as well.

        Raises:
            ValueError: The chat is the account's own.
        """
        with self.lock:
            if self._store.rows[chat_id].account_id == account_id:
                raise ValueError(f"{chat_id} is no guest in {account_id}, but its own chat")
            account = self.accounts[account_id]
            account.guests = tuple(dict.fromkeys((*account.guests, chat_id)))
            self._guests_shown = True

    def end_guests(self, account_id: str) -> None:
        """Lists that name the account show its own chats only, again."""
        with self.lock:
            self.accounts[account_id].guests = ()

    def repeat_pages(self, page: int = 1, *, times: int | None = None, extra: bool = False) -> None:
        """From now on walks show this page again and again, under a cursor that moves.

        Args:
            page: The page that repeats; counted in each walk, also in one that is under way.
            times: How often; None: up to the end of the list.
            extra: Whether it comes beside the others, so that nothing is missed; otherwise it
                takes the place of those behind it.
        """
        how: Repeats = "extra" if extra else "instead"
        with self.lock:
            self.options = replace(
                self.options, repeats=how, repeated_page=page, repeat_times=times
            )

    def end_repeats(self) -> None:
        """Pages don't repeat any more."""
        with self.lock:
            self.options = replace(self.options, repeats="none")

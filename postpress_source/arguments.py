"""The source's arguments, checked before any request, and the exact query that they become."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from postpress_source.api.transport import ApiKey
from postpress_source.chats.fields import Chat
from postpress_source.errors import PostpressArgumentError

if TYPE_CHECKING:  # the command line starts without dlt
    import dlt

PROVIDERS: Final = (
    "WHATSAPP",
    "LINKEDIN",
    "SLACK",
    "TWITTER",
    "MESSENGER",
    "INSTAGRAM",
    "TELEGRAM",
)
MAX_LIMIT: Final = 250
MAX_PARALLEL: Final = 64
_PLACEHOLDERS: Final = ("replace_me", "...", "\N{HORIZONTAL ELLIPSIS}", "<", "your_", "your-")
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user asked for, in the API's terms.

    Attributes:
        account_ids: Accounts to walk, each on its own; empty: all visible ones together.
        account_type: Provider, None for all.
        unread: Only unread (True) or only read (False) chats; None for both.
        before: Exclusive upper bound, as the API takes it; None for none.
        after: Exclusive lower bound, as the API takes it; None for none.
        limit: Chats a page.
    """

    account_ids: tuple[str, ...] = ()
    account_type: str | None = None
    unread: bool | None = None
    before: str | None = None
    after: str | None = None
    limit: int = MAX_LIMIT

    def query(self, account_id: str | None) -> dict[str, str]:
        """The parameters of a walk's first page."""
        query = {"account_id": account_id, **self._narrowing(), "limit": str(self.limit)}
        return {name: value for name, value in query.items() if value is not None}

    def scope(self) -> str:
        """What a watermark is valid for, in words: all that narrows the list, but the account."""
        narrowing = self._narrowing().items()
        return urlencode({key: value for key, value in narrowing if value is not None})

    @property
    def lists_whole_accounts(self) -> bool:
        """Whether a walk to the end lists all chats, of the type asked for, of the accounts."""
        return self.unread is None and self.before is None and self.after is None

    def unheeded(self, account_id: str | None, chat: Chat) -> str | None:
        """The filter that a listed chat shows not to be heeded; None if the chat was asked for.

        What `before` and `after` compare is unknown, so no chat can contradict them; nor can a
        value that is missing.
        """
        if None not in (account_id, chat.account_id) and chat.account_id != account_id:
            return "account_id"
        if None not in (self.account_type, chat.account_type) and (
            chat.account_type != self.account_type
        ):
            return "account_type"
        if None not in (self.unread, chat.unread_count) and (
            bool(chat.unread_count) is not self.unread
        ):
            return "unread"
        return None

    def _narrowing(self) -> dict[str, str | None]:
        return {
            "account_type": self.account_type,
            "unread": None if self.unread is None else str(self.unread).lower(),
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Window:
    """The user's range of `timestamp`, UTC: [start, end), a bound of None is open."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def of(cls, timestamp: dlt.sources.incremental[datetime]) -> Window:
        """The incremental's `initial_value` and `end_value`.

        A bound on the other side than usual (`range_start="open"`, `range_end="closed"`) is moved
        by the smallest step that a timestamp can take.
        """
        start, end = (
            None if value is None else check_instant(name, value) + (moved * timedelta.resolution)
            for name, value, moved in (
                ("initial_value", timestamp.initial_value, timestamp.range_start == "open"),
                ("end_value", timestamp.end_value, timestamp.range_end == "closed"),
            )
        )
        if start is not None and end is not None and start >= end:
            raise PostpressArgumentError(
                f"The range from initial_value {start} to end_value {end} is empty",
                next_step="initial_value must be earlier than end_value. A scheduler that gives "
                "an empty data interval needs a data-interval timetable.",
            )
        return cls(start, end)


def check_filters(
    *,
    account_id: Any = None,
    account_type: Any = None,
    unread: Any = None,
    before: Any = None,
    after: Any = None,
    limit: Any = MAX_LIMIT,
) -> Filters:
    """The filters, or a `PostpressArgumentError` that names the argument and what is allowed."""
    if account_type is not None and account_type not in PROVIDERS:
        raise _refused("account_type", account_type, "one of " + ", ".join(PROVIDERS))
    if unread is not None and not isinstance(unread, bool):
        raise _refused("unread", unread, "True, False, or None for both")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise _refused("limit", limit, f"a whole number from 1 to {MAX_LIMIT}")
    lower, upper = _bound("after", after), _bound("before", before)
    if lower is not None and upper is not None and lower >= upper:
        raise _refused("after", after, f"earlier than before ({before})")
    return Filters(
        account_ids=_account_ids(account_id),
        account_type=account_type,
        unread=unread,
        # both are exclusive: rounding outwards to ms keeps every chat that was asked for
        before=None if upper is None else api_instant(upper + _MS - timedelta.resolution),
        after=None if lower is None else api_instant(lower),
        limit=limit,
    )


def api_instant(instant: datetime) -> str:
    """The API's exact format, UTC: YYYY-MM-DDTHH:MM:SS.sssZ, rounded down to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_instant(argument: str, value: Any) -> datetime:
    """An aware UTC datetime of a date (its midnight), a datetime, or either as an ISO 8601 text.

    What names no zone is UTC.
    """
    allowed = "a date, a datetime, or an ISO 8601 text such as 2026-05-17T09:42:11.000Z"
    try:
        instant = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if not isinstance(instant, datetime):
            instant = datetime.combine(instant, time.min)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return _EPOCH + (instant - _EPOCH)  # a plain one, whatever subclass came
    except (ValueError, TypeError, OverflowError):
        raise _refused(argument, value, allowed) from None


def _bound(argument: str, value: Any) -> datetime | None:
    return None if value is None else check_instant(argument, value)


def check_duration(argument: str, value: Any) -> timedelta:
    """A timedelta of a timedelta or an ISO 8601 duration such as `PT1H`; not negative."""
    duration = value
    if isinstance(value, str):
        try:
            duration = msgspec.convert(value.strip(), timedelta)
        except msgspec.ValidationError:
            duration = None
    if not isinstance(duration, timedelta) or duration < timedelta(0):
        raise _refused(
            argument, value, "a timedelta of 0 or more, or an ISO 8601 duration such as PT1H or P1D"
        )
    return duration


def check_flag(argument: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise _refused(argument, value, "True or False")
    return value


def check_base_url(base_url: Any, *, allow_plain_http: bool) -> str:
    """The base URL without a trailing slash; plain http only to loopback, unless insisted on."""
    allowed = "an https URL without user, query or fragment, such as https://api.postpress.ai/v1"
    if isinstance(base_url, str) and "://" not in base_url:  # not shown: a password may be in it
        raise PostpressArgumentError(
            "base_url has no scheme: it doesn't begin with https://",
            next_step=f"base_url must be {allowed}.",
        )
    try:
        parts = urlsplit(base_url.strip())
        host = urllib3.util.parse_url(base_url.strip()).host
        whole = bool(host) and parts.port != 0 and len(base_url.split()) == 1
    except (urllib3.exceptions.HTTPError, ValueError, AttributeError):
        raise _refused("base_url", "...", allowed) from None
    extra = parts.query or parts.fragment or parts.username or parts.password
    if not whole or extra or parts.scheme not in ("https", "http"):
        raise _refused("base_url", parts.scheme + "://...", allowed)
    if parts.scheme == "http" and not allow_plain_http and not _is_loopback(parts.hostname or ""):
        raise _refused(
            "base_url",
            base_url,
            "https; plain http, which would send the key unencrypted, only to loopback. To "
            "insist, set allow_plain_http beside it, as in "
            "SOURCES__POSTPRESS__ALLOW_PLAIN_HTTP=true",
        )
    return str(base_url.strip().rstrip("/"))


def check_api_key(api_key: Any) -> ApiKey:
    """The key, without surrounding white space; it must be able to stand in a header."""
    key = api_key.strip() if isinstance(api_key, str) else ""
    where = "SOURCES__POSTPRESS__API_KEY, or [sources.postpress] api_key in .dlt/secrets.toml"
    if any(sign in key.lower() for sign in _PLACEHOLDERS):
        raise PostpressArgumentError(
            "api_key is the placeholder of an example, not a key",
            next_step=f"Put the key of your PostPress dashboard in its place: {where}.",
        )
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise PostpressArgumentError(
            "api_key must be the key of your PostPress dashboard, one word of printable ASCII; it "
            + ("has other characters" if key else "is empty"),
            next_step=f"Set {where}.",
        )
    return ApiKey(key)


def check_parallel_accounts(value: Any) -> int:
    """A whole number from 1 to 64."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PARALLEL:
        raise _refused("parallel_accounts", value, f"a whole number from 1 to {MAX_PARALLEL}")
    return value


def _account_ids(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    allowed = "an account id, several separated by commas, or a list of them; none empty"
    parts: Iterable[Any] = _list_of(value) if isinstance(value, str) else value
    if not isinstance(parts, Sequence | set | frozenset) or not parts:
        raise _refused("account_id", value, allowed)
    ids: dict[str, None] = {}
    for part in parts:
        for account_id in part.split(",") if isinstance(part, str) else ("",):
            if not account_id.strip() or not account_id.strip().isprintable():
                raise _refused("account_id", value, allowed)
            ids[account_id.strip()] = None
    return tuple(ids)


def _list_of(text: str) -> Any:
    """The list that a text is in JSON, as in an environment variable; else the text alone."""
    if not text.strip().startswith("["):
        return [text]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(argument: str, value: Any, allowed: str) -> PostpressArgumentError:
    return PostpressArgumentError(
        f"{argument}={value!r:.80} is not allowed", next_step=f"{argument} must be {allowed}."
    )

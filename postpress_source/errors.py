"""Errors by who must act, and the documented error types of the API.

    PostpressError                      anything this package raises while it reads
    |- PostpressAuthError               you: fix the API key or its rights             (terminal)
    |- PostpressAccountError            you: reconnect or mend one linked account      (terminal)
    |- PostpressRequestError            you: this request can't succeed, change it     (terminal)
    |- PostpressUnavailableError        nobody: run again later                        (transient)
    `- PostpressContractError           us or PostPress: the answer isn't what the API documents
                                                                                       (terminal)

Terminal and transient are dlt's own marks (`dlt.common.exceptions`), so that dlt's `retry_load` and
a scheduler can tell them apart. `documented_error` looks up one of the 31 documented types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlt.common.exceptions import TerminalException, TransientException
from dlt.extract.exceptions import DltSourceException


class PostpressError(DltSourceException):
    """What happened, where, and the next step, as text and as attributes.

    Attributes:
        summary: What happened, one sentence.
        next_step: What to do about it.
        status: HTTP status of the answer, None if there was none.
        error_type: The API's `type` (`errors/...`), None if it gave none.
        title: The API's `title`.
        detail: The API's `detail`.
        instance: The API's request identifier, for its support.
        where: Path, page (1-based) and account of the request.
        account_id: The account that was being read, None for "all visible".
    """

    default_next_step = "Report it with the text above."

    def __init__(
        self,
        summary: str,
        *,
        next_step: str | None = None,
        status: int | None = None,
        error_type: str | None = None,
        title: str | None = None,
        detail: str | None = None,
        instance: str | None = None,
        where: str | None = None,
        account_id: str | None = None,
    ) -> None:
        self.summary = summary
        self.next_step = next_step or self.default_next_step
        self.status = status
        self.error_type = error_type
        self.title = title
        self.detail = detail
        self.instance = instance
        self.where = where
        self.account_id = account_id
        super().__init__(str(self))

    def __str__(self) -> str:
        """One paragraph: what, the API's own words, where, the next step."""
        said = [str(part) for part in (self.status, self.error_type, self.title) if part]
        if self.detail:
            said.append(self.detail)
        parts = [self.summary.rstrip(".") + "."]
        if said:
            parts.append("The API said: " + " - ".join(said).rstrip(".") + ".")
        if self.where:
            parts.append(f"Where: {self.where}.")
        if self.instance:
            parts.append(f"Request id for PostPress support: {self.instance}.")
        parts.append(f"Next: {self.next_step}")
        return " ".join(parts)

    def __reduce__(self) -> Any:
        """Pickle by attributes, since the constructor takes keywords."""
        return _unpickle, (type(self), dict(vars(self)))


def _unpickle(cls: type[PostpressError], attributes: dict[str, Any]) -> PostpressError:
    error = cls.__new__(cls)
    error.__dict__.update(attributes)
    error.args = (str(error),)
    return error


class PostpressAuthError(PostpressError, TerminalException):
    """The API key was refused, or may not do this; nothing was loaded."""

    default_next_step = (
        "Check the API key (SOURCES__POSTPRESS__API_KEY or [sources.postpress] api_key in "
        ".dlt/secrets.toml) against your PostPress dashboard."
    )


class PostpressAccountError(PostpressError, TerminalException):
    """One linked account can't be read; others can."""

    default_next_step = "Reconnect the account in your PostPress dashboard."


class PostpressRequestError(PostpressError, TerminalException):
    """This request can't succeed, however often it is repeated."""

    default_next_step = "Check base_url and the source's arguments."


class PostpressUnavailableError(PostpressError, TransientException):
    """The API, or the way to it, is down; the retries are used up."""

    default_next_step = "Run again later; nothing was loaded and nothing is lost."


class PostpressContractError(PostpressError, TerminalException):
    """The answer isn't what the API documents; nothing of it was taken for data."""

    default_next_step = (
        "Check that base_url is the PostPress API and not a proxy or another service; if it is, "
        "report this text."
    )


class PostpressArgumentError(PostpressRequestError, ValueError):
    """An argument or setting is wrong; no request was made."""


class CursorRefusedError(PostpressRequestError):
    """The API refused the cursor of a follow-up page. The walk restarts once."""

    @classmethod
    def of(cls, error: PostpressError) -> CursorRefusedError:
        """The same error, known to be about the cursor."""
        refused = cls.__new__(cls)
        refused.__dict__.update(vars(error))
        refused.summary = "PostPress refused the cursor it had given"
        refused.next_step = "Run again; if it persists, report this text."
        refused.args = (str(refused),)
        return refused


_ErrorClass = type[PostpressError]


@dataclass(frozen=True, slots=True)
class DocumentedError:
    """One documented error type: its status, who must act (`error`), and how (`next_step`)."""

    type: str
    status: int
    error: _ErrorClass
    next_step: str


_RECONNECT = "Reconnect the account in your PostPress dashboard."
_LATER = "Run again later; nothing was loaded and nothing is lost."
_KEY = PostpressAuthError.default_next_step

_AUTH, _ACCOUNT, _LATER_ERROR = PostpressAuthError, PostpressAccountError, PostpressUnavailableError

_ROWS: dict[str, tuple[int, _ErrorClass, str]] = {
    "missing_credentials": (401, _AUTH, _KEY),
    "multiple_sessions": (
        401,
        _ACCOUNT,
        "Reconnect this LinkedIn Recruiter account with the cookie method; LinkedIn limits "
        "its sessions.",
    ),
    "invalid_checkpoint_solution": (
        401,
        _ACCOUNT,
        "Repeat the account's login checkpoint in the dashboard with the right code.",
    ),
    "invalid_proxy_credentials": (
        401,
        _ACCOUNT,
        "Correct the proxy credentials of the account in the dashboard.",
    ),
    "checkpoint_error": (
        401,
        _ACCOUNT,
        "Log in on the provider's own application once, then reconnect the account.",
    ),
    "invalid_credentials": (401, _AUTH, _KEY),
    "expired_credentials": (401, _ACCOUNT, _RECONNECT),
    "insufficient_privileges": (
        401,
        _AUTH,
        "Give the API key the scope to read chats, or use one that has it.",
    ),
    "disconnected_account": (401, _ACCOUNT, _RECONNECT),
    "disconnected_feature": (
        401,
        _ACCOUNT,
        "Reconnect the account's messaging feature in the dashboard.",
    ),
    "invalid_credentials_but_valid_account_imap": (
        401,
        _ACCOUNT,
        "Correct the account's IMAP/SMTP credentials in the dashboard.",
    ),
    "expired_link": (
        401,
        _ACCOUNT,
        "Generate a new connection link and connect the account with it.",
    ),
    "wrong_account": (
        401,
        _ACCOUNT,
        "Reconnect with the credentials of the account that was first connected.",
    ),
    "account_restricted": (
        403,
        _ACCOUNT,
        "Lift the restriction on the provider's side, then reconnect the account.",
    ),
    "account_mismatch": (
        403,
        _ACCOUNT,
        "Remove this account from account_id, or use one that can do this.",
    ),
    "insufficient_permissions": (
        403,
        _AUTH,
        "Give the API key the permission to read chats, or use one that has it.",
    ),
    "session_mismatch": (403, _ACCOUNT, _RECONNECT),
    "feature_not_subscribed": (
        403,
        _ACCOUNT,
        "Subscribe the account to the feature at the provider, or leave the account out.",
    ),
    "subscription_required": (
        403,
        _ACCOUNT,
        "Take out the subscription that the account needs, or leave the account out.",
    ),
    "unknown_authentication_context": (
        403,
        _ACCOUNT,
        "Finish the login on the provider's own application, then reconnect the account.",
    ),
    "action_required": (
        403,
        _ACCOUNT,
        "Finish the authentication on the provider's own application.",
    ),
    "resource_access_restricted": (
        403,
        _ACCOUNT,
        "Check that the account belongs to this key's workspace, or leave it out.",
    ),
    "unexpected_error": (500, _LATER_ERROR, _LATER),
    "provider_error": (500, _LATER_ERROR, _LATER),
    "authentication_intent_error": (
        500,
        _ACCOUNT,
        "Start the account's login in the dashboard again from the beginning.",
    ),
    "no_client_session": (
        503,
        _LATER_ERROR,
        "Run again later; if it persists, reconnect the account so that a session starts.",
    ),
    "no_channel": (503, _LATER_ERROR, _LATER),
    "no_handler": (503, _LATER_ERROR, _LATER),
    "network_down": (503, _LATER_ERROR, _LATER),
    "service_unavailable": (503, _LATER_ERROR, _LATER),
    "request_timeout": (
        504,
        _LATER_ERROR,
        "Run again later; contact PostPress support if it persists.",
    ),
}
DOCUMENTED_ERRORS: tuple[DocumentedError, ...] = tuple(
    DocumentedError(f"errors/{name}", status, error, next_step)
    for name, (status, error, next_step) in _ROWS.items()
)

_BY_NAME = {known.type.removeprefix("errors/"): known for known in DOCUMENTED_ERRORS}


def documented_error(error_type: str | None) -> DocumentedError | None:
    """The documented error of that type, with or without a prefix such as `errors/`; else None."""
    return _BY_NAME.get((error_type or "").rsplit("/", 1)[-1].strip().lower())

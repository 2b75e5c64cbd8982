"""The dlt source: its settings, and the resource that runs a sync."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import dlt
from dlt.common.configuration import configspec, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration, RuntimeConfiguration
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from postpress_source.api.client import PostpressClient, RetrySettings
from postpress_source.api.transport import ApiKey
from postpress_source.arguments import (
    MAX_LIMIT,
    check_api_key,
    check_base_url,
    check_duration,
    check_filters,
    check_flag,
    check_parallel_accounts,
)
from postpress_source.chats.columns import CHATS
from postpress_source.hints import check_hints, checked
from postpress_source.tested import warn_of_untested_dlt
from postpress_source.walks.watermark import scope_key

DEFAULT_BASE_URL: Final = "https://api.postpress.ai/v1"

logger = logging.getLogger("postpress_source")


@configspec
class PostpressArguments(BaseConfiguration):
    """The source's arguments as dlt finds them in `[sources.postpress]` and the environment.

    Durations are ISO 8601 there, such as `PT1H` and `P1D`.
    """

    api_key: TSecretStrValue = None  # type: ignore[assignment]  # dlt's way to say: required
    base_url: str = DEFAULT_BASE_URL
    account_id: Any | None = None
    account_type: str | None = None
    unread: bool | None = None
    before: Any | None = None
    after: Any | None = None
    limit: int = MAX_LIMIT
    lookback: Any | None = "PT1H"
    full_walk_every: Any | None = "P1D"
    sweep: bool = False
    full_walk_at_most_every: Any | None = "PT6H"
    history: bool = True
    history_keep: Any | None = "P400D"

    def on_resolved(self) -> None:
        """Hide the key from tracebacks with locals, dlt's own frames included."""
        if isinstance(self.api_key, str):
            self.api_key = ApiKey(self.api_key)


@configspec
class PostpressSettings(BaseConfiguration):
    """Settings beside the arguments, in `[sources.postpress]`, or in a clone's own section.

    Attributes:
        parallel_accounts: How many accounts are walked at once, at most.
        allow_plain_http: Send the key over plain http to a host that isn't loopback.
    """

    parallel_accounts: int = 8
    allow_plain_http: bool = False


@dlt.source(name="postpress", section="postpress", spec=PostpressArguments)
def postpress_source(
    api_key: TSecretStrValue = dlt.secrets.value,
    base_url: str = DEFAULT_BASE_URL,
    account_id: str | Sequence[str] | None = None,
    account_type: str | None = None,
    unread: bool | None = None,
    before: date | str | None = None,
    after: date | str | None = None,
    limit: int = MAX_LIMIT,
    lookback: timedelta | str = timedelta(hours=1),
    full_walk_every: timedelta | str = timedelta(days=1),
    sweep: bool = False,
    full_walk_at_most_every: timedelta | str = timedelta(hours=6),
    history: bool = True,
    history_keep: timedelta | str = timedelta(days=400),
) -> DltResource:
    """The tables equal the API's list after every full walk that nothing disturbed, or the next.

    They are `chats`, `chats__folder`, `chats__disabled_features`, the ledger `chat_walks`, and
    `chats_history`, which has what a chat was, and between which two runs it changed. A head walk,
    the cheap one in between full walks, brings every chat with new activity. Building the source
    does no I/O.

    Endpoint:   GET /chats                        ("List all chats", May 2026)
    Key:        id                                Disposition: merge
    Watermark:  timestamp - last activity, UTC, ms; null rows are always kept

    Args:
        api_key: Sent as `X-API-KEY` to `base_url`'s origin only.
        base_url: https, or plain http to loopback.
        account_id: One, several comma-separated, or a sequence; each account is walked on its own,
            several at once. None: all visible ones together.
        account_type: One of WHATSAPP, LINKEDIN, SLACK, TWITTER, MESSENGER, INSTAGRAM, TELEGRAM.
        unread: Only unread, or only read chats; None: both.
        before: Passed to the API, exclusive; a date, datetime or ISO 8601, UTC where no zone is.
        after: Passed to the API, exclusive; likewise.
        limit: Chats a page, 1 to 250.
        lookback: How far behind the watermark a head walk reads again.
        full_walk_every: A full walk is due when the last one is older; 0: every run.
        sweep: Whether head walks also list what is unread, and read on for what was read.
        full_walk_at_most_every: With `sweep`: an account isn't walked in full for that within this
            time of the last one; `full_walk_every` or longer: never for that.
        history: Whether `chats_history` keeps every version of a chat that was seen.
        history_keep: How long a version stays there after it was seen to hold no longer.

    Raises:
        PostpressArgumentError: An argument is wrong; it is named, with what is allowed.
    """
    settings = resolve_configuration(PostpressSettings())  # in the section that dlt is in
    key = api_key = check_api_key(api_key)
    url = check_base_url(base_url, allow_plain_http=settings.allow_plain_http)
    parallel = check_parallel_accounts(settings.parallel_accounts)
    filters = check_filters(
        account_id=account_id,
        account_type=account_type,
        unread=unread,
        before=before,
        after=after,
        limit=limit,
    )
    lookback = check_duration("lookback", lookback)
    full_walk_every = check_duration("full_walk_every", full_walk_every)
    budget = check_duration("full_walk_at_most_every", full_walk_at_most_every), full_walk_every
    sweeps = check_flag("sweep", sweep)
    kept = check_duration("history_keep", history_keep) if check_flag("history", history) else None

    @dlt.resource(name="chats", write_disposition="merge", primary_key="id", columns=CHATS)
    @checked
    def chats(
        # primary_key=(): rows are deduplicated before dlt sees them
        timestamp: dlt.sources.incremental[datetime] = dlt.sources.incremental[datetime](  # noqa: B008 - how dlt finds it
            "timestamp", on_cursor_value_missing="include", primary_key=()
        ),
    ) -> Iterator[Any]:
        """The chats, their arrays, and the ledger of the walks that brought them."""
        # here, since pyarrow comes with it, which nobody needs who only builds the source
        from postpress_source.sync import Sync
        from postpress_source.walks.sweep import Budget

        check_hints(dlt.current.source(), dlt.current.resource())
        warn_of_untested_dlt()
        if key.startswith("pp_test_"):
            logger.warning("The API key is a test key (pp_test_): this is sandboxed traffic.")
        client = PostpressClient(url, key, _retry_settings(), connections=parallel)
        scope = scope_key(filters.scope(), url, key)
        sweep_budget = Budget(*budget) if sweeps else None
        sync = Sync(client, filters, scope, lookback, full_walk_every, sweep_budget, parallel, kept)
        yield from sync.run(timestamp)

    return chats


def _retry_settings() -> RetrySettings:
    """dlt's own `RUNTIME__REQUEST_...` settings."""
    runtime = resolve_configuration(RuntimeConfiguration())
    return RetrySettings(
        timeout=runtime.request_timeout,
        max_attempts=max(1, runtime.request_max_attempts),
        backoff_factor=runtime.request_backoff_factor,
        max_delay=runtime.request_max_retry_delay,
    )

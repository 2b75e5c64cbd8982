"""`postpress check`: is the key good, and does the API behave as the source expects?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlsplit

from postpress_source.arguments import Filters
from postpress_source.chats.fields import Chat
from postpress_source.cli import warehouse
from postpress_source.cli.causes import failure_of
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import ExitCode
from postpress_source.cli.probe import Head, Probe, Verdict, judge_filters, read_head
from postpress_source.cli.screen import Screen, instant, span
from postpress_source.errors import (
    PostpressAccountError,
    PostpressAuthError,
    PostpressError,
)
from postpress_source.walks.side_by_side import run_side_by_side

OK: Final = "ok"
NOTE: Final = "note"
MEND: Final = "mend this"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it is, and what there is to know or do about it."""

    what: str
    state: str
    text: str


def check(choice: Choice, screen: Screen) -> ExitCode:
    """Show the findings. MEND if one says so, LATER if the API can't be reached now."""
    arguments = warehouse.settings(choice, key_needed=True)
    filters = warehouse.filters_of(arguments)
    url, key = warehouse.endpoint(arguments)
    code = ExitCode.OK
    findings: list[Finding] = []
    with closing(Probe(url, key)) as probe:

        def look(of: Filters) -> None:
            findings.extend(_findings(probe, url, key, of))  # those before an error stay

        try:
            # in another thread: Ctrl-C doesn't wait for a name server, as nothing else does
            run_side_by_side(look, [filters], 1, probe.close, lambda: None)
        except PostpressError as error:
            findings.append(_of_error(error))
            failure = failure_of(error)
            code = failure.exit_code if failure else ExitCode.MEND
    if code is ExitCode.OK and any(finding.state == MEND for finding in findings):
        code = ExitCode.MEND
    requests = probe.traffic.requests
    screen.document(
        {
            "ok": code is ExitCode.OK,
            "exit_code": int(code),
            "base_url": url,
            "requests": requests,
            "findings": [asdict(finding) for finding in findings],
        }
    )
    screen.table(("what", "", "finding"), ((f.what, f.state, f.text) for f in findings))
    screen.say("", f"{requests} request{'s' * (requests != 1)} made, all of them reading.")
    return code


def _findings(probe: Probe, url: str, key: str, filters: Filters) -> Iterator[Finding]:
    yield Finding("base URL", OK, url)
    units = filters.account_ids or (None,)
    heads: list[Head] = []
    for account_id in units:
        try:
            heads.append(read_head(probe, filters, account_id))
        except PostpressAccountError as error:
            yield Finding(f"account {account_id or ''}".strip(), MEND, str(error))
    if not heads:
        return
    yield _of_key(key, url)
    chats = [chat for head in heads for chat in head.chats]
    yield from _of_chats(chats, whole=all(head.whole for head in heads))
    yield _of_order(heads)
    yield Finding("envelope", OK, probe.envelope)
    yield _of_filters(judge_filters(probe, filters, units[0], heads[0].chats))
    yield _of_limits(probe)


def _of_error(error: PostpressError) -> Finding:
    failure = failure_of(error)
    if failure is None:
        return Finding("answer", MEND, str(error))
    what = "API key" if isinstance(error, PostpressAuthError) else "answer"
    facts = "\n".join(f"{label}: {text}" for label, text in failure.facts)
    text = f"{failure.summary}\n{facts}\nNext: {failure.next_step}\n({failure.kind})"
    return Finding(what, MEND, text)


def _of_key(key: str, url: str) -> Finding:
    host = urlsplit(url).netloc
    if key.startswith("pp_test_"):
        return Finding("API key", NOTE, f"{host} takes it; a test key, so this is sandboxed data")
    return Finding("API key", OK, f"{host} takes it")


def _of_chats(chats: list[Chat], *, whole: bool) -> Iterator[Finding]:
    if not chats:
        yield Finding("chats", NOTE, "none are visible: with these filters, or at all")
        return
    seen = "all there are" if whole else "the first that are listed"
    yield Finding("chats", OK, f"{len(chats):,} read, {seen}")
    newest = max((chat.timestamp for chat in chats if chat.timestamp), default=None)
    yield Finding("newest activity", OK if newest else NOTE, instant(newest))
    accounts = Counter((chat.account_id or "?", chat.account_type or "?") for chat in chats)
    listed = "\n".join(
        f"{account_id} {provider}, {count:,} of them"
        for (account_id, provider), count in accounts.most_common()
    )
    yield Finding("accounts", OK, listed)


def _of_order(heads: list[Head]) -> Finding:
    descents = sum(head.descents for head in heads)
    if not all(head.newest_first for head in heads):
        return Finding("order", NOTE, "not newest first: every walk reads to the end")
    if descents < 2:
        return Finding("order", NOTE, "can't tell: too few chats with a timestamp")
    pages = sum(head.pages for head in heads)
    return Finding("order", OK, f"newest first, {descents:,} times in {pages} pages")


def _of_filters(verdict: Verdict) -> Finding:
    meanings = {
        "activity": (OK, "they compare the last activity"),
        "creation": (NOTE, "they compare the creation, as documented: a chat that woke up again is "
                     "not listed by after="),
        "ignored": (NOTE, "they are not heeded"),
        "undecided": (NOTE, "can't tell what they compare"),
    }  # fmt: skip
    state, meaning = meanings[verdict.meaning]
    return Finding("after, before", state, f"{meaning}: {verdict.evidence}")


def _of_limits(probe: Probe) -> Finding:
    slowest = f"slowest answer {span(max(probe.seconds))}"
    if not probe.limits:
        return Finding("rate limit", NOTE, f"no headers tell of one; {slowest}")
    listed = ", ".join(f"{name}: {value}" for name, value in sorted(probe.limits.items()))
    return Finding("rate limit", OK, f"{listed}; {slowest}")

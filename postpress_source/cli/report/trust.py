"""What the page says of trust: what vanished, how fresh each account is, who must be called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from postpress_source.cli.overview import Overview
from postpress_source.cli.report.html import element, folded, table, text_of
from postpress_source.cli.report.past import Gone, Past
from postpress_source.cli.screen import span
from postpress_source.cli.sla import Sla

_SHOWN: Final = 20


def what_vanished(past: Past, sla: Sla) -> Iterator[Element]:
    """Chats that went: by walk, as the ledger has it, and each, as the history has it."""
    yield element("h2", "What vanished")
    if not past.vanished and not past.gone:
        yield element("p", "Nothing, as far as the ledger goes back.")
        return
    found = past.vanished
    yield table(
        f"The last {min(_SHOWN, len(found))} walks that found chats gone",
        ("account", "walk", "gone", "missing, kept for now"),
        (
            (
                text_of(each.walk["account_name"]),
                sla.local(each.walk["started_at"]),
                f"{each.deleted:,}",
                f"{each.missing:,}",
            )
            for each in found[:_SHOWN]
        ),
        numbers=2,
    )
    yield element(
        "p",
        "Gone were listed no longer, asked for twice. Missing ones stay until the next full walk "
        "says the same.",
        class_="quiet",
    )
    if past.gone:
        yield folded("The latest chats that went", _gone(past.gone, sla))


def _gone(gone: Sequence[Gone], sla: Sla) -> Element:
    rows = [
        (
            text_of(each.id),
            text_of(each.account_id or "-"),
            sla.local(each.after),
            sla.local(each.until),
        )
        for each in gone
    ]
    headings = ("chat", "account", "last listed", "gone by")
    return table("Listed at the one look, and not at the other", headings, rows)


def trust(overview: Overview, sla: Sla) -> Iterator[Element]:
    """How fresh each account is, and what a person has to do."""
    yield element("h2", "Can it be trusted?")
    calls = list(_calls(overview.document))
    if calls:
        yield element("div", element("strong", "To look at"), element("ul", *calls), class_="calls")
    else:
        yield element("p", "Every account was read without an error, and none seems dead.")
    needs = {each["account_id"]: each["why"] for each in overview.document["needs_person"]}
    yield table(
        "How fresh each account is",
        ("account", "state", "last read", "newest chat", "silent for"),
        (
            (
                text_of(account["account_name"]),
                needs.get(account["account_id"], "ok" if account["last_walk"] else "never read"),
                sla.local(account["last_walk"]),
                sla.local(account["newest"]),
                "-" if account["silent_seconds"] is None else span(account["silent_seconds"]),
            )
            for account in overview.document["accounts"]
        ),
    )
    yield element(
        "p",
        "Silent for: from the newest chat to the last time that the account was read.",
        class_="quiet",
    )


def _calls(document: dict[str, Any]) -> Iterator[Element]:
    for each in document["needs_person"]:
        says = f": {each['why']}. {each['next_step'] or ''}"
        yield element("li", text_of(each["account_name"]), says)
    for finding in document["volume"]:
        yield element("li", text_of(finding["account_name"]), f": {finding['text']}.")

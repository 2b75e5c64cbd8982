"""The page: what it says of the inbox now. What it says of trust is in `trust`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

from postpress_source.cli.inbox import Waiting
from postpress_source.cli.overview import Overview
from postpress_source.cli.report.html import (
    Bar,
    Content,
    bars,
    document,
    element,
    folded,
    table,
    text_of,
)
from postpress_source.cli.report.past import Day, Past
from postpress_source.cli.report.trust import trust, what_vanished
from postpress_source.cli.sla import Sla

OLDEST: Final = 20
LISTED: Final = 500
SHOWN_BARS: Final = 20
LEAST_DAYS: Final = 3
LEAST_CHATS: Final = 30
"""Fewer chats than this have no share: one more or less would move it by several percent."""
SERIES: Final = ("over SLA", "within SLA, or of unknown age")
_NOTICE: Final = (
    "/* Charts.css 1.2.0, Copyright 2020 Rami Yushuvaev, MIT License, ChartsCSS.org */\n"
)


def page(overview: Overview, sla: Sla, past: Past, *, names: bool) -> str:
    """The page as HTML. People's names are in it only if they are asked for."""
    notice = f"/* Charts.css 1.2.0, ChartsCSS.org\n\n{_file('charts.LICENSE.txt')}*/\n"
    styles = [notice + _file("charts.min.css"), _file("page.css")]
    return document(
        "PostPress inbox report",
        styles,
        *_head(overview, sla),
        *_by_account(overview.document["accounts"]),
        *_by_inbox(overview.inbox.linkedin),
        *_by_age(overview.inbox.waiting, sla),
        *_oldest(overview.inbox.waiting, sla, names=names),
        *_by_day(past.backlog, sla),
        *what_vanished(past, sla),
        *trust(overview, sla),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _head(overview: Overview, sla: Sla) -> Iterator[Element]:
    inbox, where = overview.document["inbox"], overview.document
    yield element("h1", "PostPress inbox report")
    yield element(
        "p",
        f"As of {sla.local(inbox['as_of'])} {sla.zone_name}, the end of the last complete walk. "
        f"From {where['location']}, dataset {where['dataset']}.",
        class_="quiet",
    )
    oldest = inbox["oldest_waiting"]
    over = f"waiting longer than {sla.told(sla.limit)}"
    age = oldest and oldest["age_seconds"]
    told = "-" if age is None else sla.short(timedelta(seconds=age))
    yield element(
        "ul",
        _figure(f"{inbox['waiting']:,}", "chats waiting"),
        _figure(f"{inbox['over_sla']:,}", over, "over" if inbox["over_sla"] else ""),
        _figure(told, f"the oldest of them: its {sla.age_heading()}"),
        _figure(f"{inbox['unread']:,}", "chats unread"),
        class_="figures",
    )
    yield element(
        "p",
        "Waiting is unread, and neither archived, muted nor sponsored. It isn't unanswered: the "
        "list of chats doesn't tell who wrote last. An age counts from the last activity; "
        f"{sla.hours()}. Times of day are {sla.zone_name}.",
        class_="quiet",
    )


def _figure(number: str, label: str, kind: str = "") -> Element:
    return element("li", element("strong", number), label, class_=kind)


def _by_account(accounts: Sequence[dict[str, Any]]) -> Iterator[Element]:
    yield element("h2", "Waiting now, by account")
    ranked = sorted(accounts, key=lambda a: (-a["waiting"], a["account_name"]))
    rows = [
        Bar(_called(a), _split(a["waiting"], a["over_sla"]), _counted(a["waiting"], a["over_sla"]))
        for a in ranked[:SHOWN_BARS]
        if a["waiting"]
    ]
    if not rows:
        yield element("p", "Nothing waits.")
    else:
        said = "; ".join(f"{bar.label}: {bar.text}" for bar in rows)
        yield bars(f"Chats waiting by account. {said}", SERIES, rows)
    hidden = sum(1 for account in ranked[SHOWN_BARS:] if account["waiting"])
    if hidden:
        yield element("p", f"{hidden:,} more accounts are in the table.", class_="quiet")
    yield folded("The numbers", *_account_table(ranked))


def _account_table(accounts: Iterable[dict[str, Any]]) -> Iterator[Element]:
    yield table(
        "Chats by account",
        ("account", "provider", "waiting", "over SLA", "unread", "chats", "share waiting"),
        (
            (
                text_of(a["account_name"]),
                a["account_type"] or "-",
                *(f"{a[name]:,}" for name in ("waiting", "over_sla", "unread", "chats")),
                f"{a['waiting'] / a['chats']:.0%}"
                if a["chats"] >= LEAST_CHATS
                else "too few chats",
            )
            for a in accounts
        ),
        numbers=5,
    )
    yield element("p", f"Fewer than {LEAST_CHATS} chats are too few for a share.", class_="quiet")


def _share(part: int, chats: int) -> str:
    return f"{part / chats:.0%}" if chats >= LEAST_CHATS else "too few chats"


def _by_inbox(linkedin: Sequence[dict[str, Any]]) -> Iterator[Element]:
    if not linkedin:
        return
    waiting: Counter[str] = Counter()
    for row in linkedin:
        waiting[_inbox_name(row["inbox"])] += row["waiting_chats"]
    yield element("h2", "Waiting now, by LinkedIn inbox")
    rows = [Bar(name, (count,), f"{count:,} waiting") for name, count in waiting.most_common()]
    said = "; ".join(f"{bar.label}: {bar.text}" for bar in rows)
    yield element(
        "div", bars(f"Chats waiting by LinkedIn inbox. {said}", SERIES[:1], rows), class_="plain"
    )
    yield element("p", "A chat in two inboxes counts in both.", class_="quiet")
    numbers = [
        (text_of(r["account_name"]), _inbox_name(r["inbox"]), f"{r['waiting_chats']:,}")
        for r in linkedin
    ]
    headings = ("account", "inbox", "waiting")
    shown = table("Chats waiting by account and LinkedIn inbox", headings, numbers, numbers=1)
    yield folded("The numbers", shown)


def _by_age(waiting: Sequence[Waiting], sla: Sla) -> Iterator[Element]:
    if not waiting:
        return
    yield element("h2", "Waiting now, by age")
    edges = [sla.limit / 2, sla.limit, sla.limit * 3, sla.limit * 7]
    told = [sla.short(edge) for edge in edges]
    labels = [f"under {told[0]}", *(f"{a} to {b}" for a, b in pairwise(told))]
    labels += [f"over {told[-1]}", "unknown"]
    counts = Counter(_bucket(chat.age, edges) for chat in waiting)
    rows = [
        Bar(label, _split(counts[n], counts[n] if 1 < n <= len(edges) else 0), f"{counts[n]:,}")
        for n, label in enumerate(labels)
    ]
    said = "; ".join(f"{bar.label}: {bar.text}" for bar in rows)
    yield bars(f"Chats waiting by age. {said}", SERIES, rows)
    numbers = [(bar.label, bar.text) for bar in rows]
    shown = table("Chats waiting by age", (sla.age_heading(), "waiting"), numbers, numbers=1)
    yield folded("The numbers", shown)


def _bucket(age: timedelta | None, edges: Sequence[timedelta]) -> int:
    """Which of the edges an age is within; one more than the last is older, two unknown."""
    if age is None:
        return len(edges) + 1
    return next((n for n, edge in enumerate(edges) if age <= edge), len(edges))


def _oldest(waiting: Sequence[Waiting], sla: Sla, *, names: bool) -> Iterator[Element]:
    dated = [chat for chat in waiting if chat.since is not None]
    over = [chat for chat in dated if chat.over]
    yield element("h2", "The oldest that wait")
    if not dated:
        yield element("p", "Nothing waits.")
        return
    title = f"The {min(OLDEST, len(dated))} oldest that wait"
    yield _chats(title, dated[:OLDEST], sla, names=names)
    if len(over) > OLDEST:
        shown = over[:LISTED]
        title = f"All {len(over):,} over SLA now"
        if len(shown) < len(over):
            title = (
                f"The oldest {LISTED} of {len(over):,} over SLA now; the view inbox_chats has all"
            )
        yield folded(title, _chats(title, shown, sla, names=names))


def _chats(title: str, chats: Sequence[Waiting], sla: Sla, *, names: bool) -> Element:
    headings = ["account", sla.age_heading(), "SLA", "last activity", "chat"]
    rows: list[list[Content]] = [
        [
            text_of(chat.account_name),
            sla.short(chat.age),
            "over" if chat.over else "within",
            sla.local(chat.since),
            text_of(chat.id),
        ]
        for chat in chats
    ]
    if names:
        headings.insert(4, "name")
        for row, chat in zip(rows, chats, strict=True):
            row.insert(4, text_of(chat.name or "-"))
    return table(title, headings, rows)


def _by_day(backlog: Sequence[Day] | None, sla: Sla) -> Iterator[Element]:
    yield element("h2", "Backlog by day")
    if backlog is None:
        yield element(
            "p",
            "Not known: the tables say what waits now, and what waited before is in chats_history, "
            "which isn't kept here, is files, or is too long for a page.",
        )
        return
    if len(backlog) < LEAST_DAYS:
        yield element(
            "p", f"Shown from the {LEAST_DAYS}rd day on: the history of this inbox has just begun."
        )
        return
    rows = [Bar(f"{day.day:%d %b}", (day.waiting,), f"{day.waiting:,}") for day in backlog]
    said = "; ".join(f"{bar.label}: {bar.text}" for bar in rows)
    drawn = bars(f"Chats waiting at 9:00 of each day. {said}", SERIES[:1], rows)
    yield element("p", f"Chats waiting at 9:00 {sla.zone_name}.", class_="quiet")
    yield element("div", drawn, class_="plain days")
    numbers = [(f"{day.day:%Y-%m-%d}", f"{day.waiting:,}") for day in backlog]
    title = f"Chats waiting at 9:00 {sla.zone_name} of each day"
    yield folded("The numbers", table(title, ("day", "waiting"), numbers, numbers=1))


def _called(account: dict[str, Any]) -> str:
    """Its name; where it has none, its id tells less than its provider."""
    if account["account_name"] != account["account_id"]:
        return str(account["account_name"])
    return f"{account['account_type'] or ''} {account['account_name']}".strip()


def _split(waiting: int, over: int) -> tuple[int, int]:
    return over, waiting - over


def _counted(waiting: int, over: int) -> str:
    return f"{waiting:,} waiting" + (f", {over:,} over" if over else "")


def _inbox_name(inbox: str) -> str:
    return "in none of them" if inbox == "none" else inbox.replace("_", " ").title()

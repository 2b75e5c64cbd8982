"""`postpress status`: what waits, what is loaded, how fresh it is; and a sensor with limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import ExitCode
from postpress_source.cli.limits import Limits, reasons
from postpress_source.cli.overview import look
from postpress_source.cli.screen import Screen, instant, minute, span
from postpress_source.cli.sla import Sla
from postpress_source.cli.walks import show_empty, show_skipped, show_walks


def status(choice: Choice, screen: Screen, sla: Sla, limits: Limits) -> ExitCode:
    """Show the state of the warehouse.

    LIMIT if a limit is passed, else MEND if an account's last walk failed.
    """
    overview = look(choice, sla)
    document = overview.document
    document["reasons"] = reasons(document, limits)
    if document["reasons"]:
        document |= {"ok": False, "exit_code": int(ExitCode.LIMIT)}
    screen.document(document)
    _show_inbox(document["inbox"], screen, sla)
    _show_tables(document, screen, overview.now)
    _show_accounts(document, screen)
    screen.say("", "Last walks, newest first:", style="bold")
    complete = (walk for walk in document["walks"] if walk["complete"])
    show_walks(screen, complete, with_start=True)
    _show_warnings(document, screen)
    if document["reasons"]:
        screen.alarm(f"Over the limit: {'; '.join(document['reasons'])}")
    return ExitCode(document["exit_code"])


def _show_inbox(inbox: dict[str, Any], screen: Screen, sla: Sla) -> None:
    oldest = inbox["oldest_waiting"]
    over = f"{inbox['over_sla']:,} of them longer than {sla.told(sla.limit)} ({sla.hours()})"
    screen.pairs(
        [
            ("unread", f"{inbox['unread']:,} chats"),
            ("waiting", f"{inbox['waiting']:,} chats" + (f", {over}" if inbox["waiting"] else "")),
            ("oldest waiting", _oldest(oldest, sla) if oldest else "-"),
        ]
    )
    screen.say("")


def _oldest(oldest: dict[str, Any], sla: Sla) -> str:
    age = oldest["age_seconds"]
    told = "" if age is None else f"{sla.told(timedelta(seconds=age))}, "
    return f"{told}since {minute(oldest['since'])}, in {oldest['account_name']}"


def _show_tables(document: dict[str, Any], screen: Screen, now: datetime) -> None:
    last = document["last_run"]
    screen.pairs(
        [
            ("tables in", f"{document['location']}, dataset {document['dataset']}"),
            ("watermark", instant(document["watermark"])),
            ("last run", f"{instant(last)}, {span(now - last)} ago" if last else "-"),
            *((name, f"{count:,} rows") for name, count in sorted(document["rows"].items())),
        ]
    )
    screen.say("")


def _show_accounts(document: dict[str, Any], screen: Screen) -> None:
    screen.table(
        ("account", "provider", "chats", "unread", "waiting", "silent for"),
        (
            (
                account["account_name"],
                account["account_type"],
                account["chats"],
                account["unread"],
                account["waiting"],
                _silence(account),
            )
            for account in document["accounts"]
        ),
    )


def _show_warnings(document: dict[str, Any], screen: Screen) -> None:
    show_empty(screen, document["empty"])
    show_skipped(screen, document["skipped"])
    for account in document["accounts"]:
        if account["green_but_dead"]:
            screen.say(_dead(account), style="yellow")
    for finding in document["volume"]:
        screen.say(f"! Out of line, {finding['account_name']}: {finding['text']}.", style="yellow")


def _silence(account: dict[str, Any]) -> str | None:
    seconds = account["silent_seconds"]
    return None if seconds is None else span(seconds) + (" !" if account["green_but_dead"] else "")


def _dead(account: dict[str, Any]) -> str:
    return (
        f"! {account['account_name']} is read without errors but has been silent for "
        f"{span(account['silent_seconds'])}, much longer than ever among its last chats. Look "
        "whether it is still connected in your PostPress dashboard."
    )

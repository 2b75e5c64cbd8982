"""`postpress digest`: the inbox in five lines, to the terminal, as JSON, or to Slack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.common.runtime.slack import send_slack_message

from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.inbox import Waiting
from postpress_source.cli.overview import Overview, look
from postpress_source.cli.screen import Screen, minute, printable
from postpress_source.cli.sla import Sla


def digest(choice: Choice, screen: Screen, sla: Sla, *, slack: bool, names: bool) -> ExitCode:
    """Five lines; with `slack` they are sent there as well."""
    hook = _hook() if slack else None
    overview = look(choice, sla)
    lines = lines_of(overview, sla, names=names)
    if hook is not None:
        _send(hook, lines)
    texts = [f"{label}: {text}" for label, text in lines]
    inbox = overview.document["inbox"]
    screen.document({"ok": True, "exit_code": 0, "lines": texts, "inbox": inbox, "sent": slack})
    screen.pairs(lines)
    if hook is not None:
        screen.say("", "Sent to Slack.")
    return ExitCode.OK


def lines_of(overview: Overview, sla: Sla, *, names: bool) -> list[tuple[str, str]]:
    """The five: label and text. People's names are in them only if they are asked for."""
    inbox = overview.document["inbox"]
    as_of = inbox["as_of"]
    return [
        ("waiting", f"{inbox['waiting']:,} chats, as of {minute(as_of) if as_of else '?'}"),
        ("over SLA", f"{inbox['over_sla']:,} chats wait longer than {sla.told(sla.limit)}"),
        ("worst account", _worst(overview.document["accounts"])),
        ("oldest", _oldest(overview.inbox.waiting, sla, names=names)),
        ("needs a person", _needs_person(overview.document["needs_person"])),
    ]


def _worst(accounts: Sequence[dict[str, Any]]) -> str:
    """The one with the most over SLA; where that is none, or the same, with the most waiting."""
    worst = max(accounts, key=lambda a: (a["over_sla"], a["waiting"]), default=None)
    if worst is None or not worst["waiting"]:
        return "none: nothing waits"
    return f"{worst['account_name']}, {worst['waiting']:,} waiting, {worst['over_sla']:,} over SLA"


def _oldest(waiting: Sequence[Waiting], sla: Sla, *, names: bool) -> str:
    oldest = next((chat for chat in waiting if chat.since is not None), None)
    if oldest is None or oldest.since is None:
        return "-"
    age = "" if oldest.age is None else f"{sla.told(oldest.age)}, "
    person = f"{oldest.name} " if names and oldest.name else ""
    return f"{person}in {oldest.account_name}, {age}since {minute(oldest.since)}"


def _needs_person(accounts: Sequence[dict[str, Any]]) -> str:
    if not accounts:
        return "no account"
    shown = [f"{account['account_name']} ({account['why']})" for account in accounts[:3]]
    more = f", and {len(accounts) - 3} more" if len(accounts) > 3 else ""
    return ", ".join(shown) + more


def in_slack(text: str) -> str:
    """A text in which Slack finds no mention and no link, which begin with `<` there."""
    plain = " ".join(printable(text).split())
    for char, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(char, escaped)
    return plain


def _hook() -> str:
    hook = resolve_configuration(RuntimeConfiguration()).slack_incoming_hook
    if not hook:
        raise CommandError(
            Failure(
                "NoHook",
                "There is no Slack webhook to send to.",
                ExitCode.MEND,
                next_step="Set dlt's own setting: RUNTIME__SLACK_INCOMING_HOOK, or in "
                ".dlt/secrets.toml\n    [runtime]\n"
                '    slack_incoming_hook = "https://hooks.slack.com/services/..."',
            )
        )
    return str(hook)


def _send(hook: str, lines: Sequence[tuple[str, str]]) -> None:
    """Send through dlt's helper. What fails is told without the hook, which is a secret."""
    text = "\n".join(f"*{label}*: {in_slack(text)}" for label, text in lines)
    logging.getLogger("dlt").setLevel(logging.ERROR)  # it would warn of what is told below
    try:
        send_slack_message(hook, text)
    except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = f"it answered {status}" if status else "it can't be reached"
        gone = status is not None and status < 500
        raise CommandError(
            Failure(
                "NotSent",
                f"Slack didn't take the digest: {said}.",
                ExitCode.MEND if gone else ExitCode.LATER,
                next_step="Check the webhook, runtime.slack_incoming_hook."
                if gone
                else "Run again.",
            )
        ) from None

"""`postpress status` answers what waits, and is a sensor for a scheduler or a shell."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postpress_source.cli.limits import Limits, reasons
from postpress_source.sandbox import Sandbox
from tests.cli.conftest import POSTPRESS, Desk, assert_plain

HOSTILE = 'Sales "DE" <b>&\n\x1b[31m'


@pytest.fixture
def loaded(desk: Desk, inbox: Sandbox) -> Desk:
    assert desk.run("run").code == 0
    return desk


@pytest.mark.slow
def test_it_answers_what_waits(loaded: Desk, inbox: Sandbox) -> None:
    told = json.loads(loaded.run("status", "--json").out)
    unread = [chat for chat in inbox.world.relist() if chat["unread_count"]]
    assert told["inbox"]["unread"] == len(unread)
    assert 0 < told["inbox"]["over_sla"] < told["inbox"]["waiting"] < len(unread)
    for count in ("unread", "waiting", "over_sla"):
        assert sum(a[count] for a in told["accounts"]) == told["inbox"][count]
    oldest = min(a["oldest_waiting"] for a in told["accounts"] if a["oldest_waiting"])
    assert told["inbox"]["oldest_waiting"]["since"] == oldest
    shown = loaded.run("status")
    assert_plain(shown.text)
    assert f"unread          {len(unread)} chats" in shown.out
    longer = json.loads(loaded.run("status", "--sla", "30d", "--json").out)["inbox"]["over_sla"]
    assert longer < told["inbox"]["over_sla"]


@pytest.mark.slow
def test_names_of_the_settings_are_shown(loaded: Desk, inbox: Sandbox) -> None:
    first, second, _ = inbox.world.accounts
    (loaded.folder / ".dlt").mkdir()
    (loaded.folder / ".dlt/config.toml").write_text(
        f'[sources.postpress.account_names]\n{first} = "Sales DE"\n'
    )
    shown = loaded.run("status")
    assert "Sales DE" in shown.out
    assert first not in shown.out
    environment = {"SOURCES__POSTPRESS__ACCOUNT_NAMES": json.dumps({second: HOSTILE})}
    shown = loaded.run("status", **environment)
    assert_plain(shown.text)
    assert 'Sales "DE" <b>&' in shown.out
    assert first in shown.out, "the environment comes before the file"
    for wrong in ("[1]", "{", '{"acc_1": ""}', '{"acc_1": 7}'):
        ended = loaded.run("status", SOURCES__POSTPRESS__ACCOUNT_NAMES=wrong)
        assert ended.code == 2, ended.text
        assert "account_names" in ended.err


@pytest.mark.slow
def test_limits(loaded: Desk) -> None:
    for options, code, reason in (
        ("--max-behind 1h --max-silent 900d --max-waiting 9999 --fail-on-dead", 0, ""),
        ("--max-over-sla 0", 4, "over SLA, at most 0"),
        ("--max-behind 0s", 4, "not read for"),
        ("--max-waiting 3 --max-silent 1s", 4, "silent for"),
        ("--max-behind soon", 2, ""),
        ("--max-waiting -1", 2, ""),
    ):
        ended = loaded.run("status", *options.split())
        assert ended.code == code, ended.text
        if code == 4:
            line = ended.err.splitlines()[-1]
            assert line.startswith("Over the limit: ")
            assert reason in line
    told = json.loads(loaded.run("status", "--max-waiting", "3", "--json").out)
    assert (told["ok"], told["exit_code"]) == (False, 4)
    assert told["reasons"] == [f"{told['inbox']['waiting']} waiting, at most 3"]


@pytest.mark.slow
def test_in_a_shell_loop(loaded: Desk) -> None:
    """As somebody's cron job would have it: a mail with the reason, and with nothing else."""
    script = (
        "for limit in 9999 3; do "
        "  reason=$(postpress status --max-waiting $limit 2>&1 >/dev/null) || "
        '  { test $? -eq 4 && echo "mail: $reason"; }; '
        "done"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=loaded.folder,
        env=loaded.environment | {"PATH": f"{POSTPRESS.parent}:{loaded.environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    (mail,) = done.stdout.splitlines()
    assert mail.startswith("mail: Over the limit: ")


def account(name: str, **facts: Any) -> dict[str, Any]:
    fresh = {"behind_seconds": 60.0, "silent_seconds": 60.0, "green_but_dead": False}
    return {"account_name": name, **fresh, **facts}


def document(*accounts: dict[str, Any]) -> dict[str, Any]:
    return {"accounts": accounts, "inbox": {"waiting": 5, "over_sla": 2}}


def test_the_worst_account_is_named_and_others_are_counted() -> None:
    sick = [account("A", behind_seconds=8000.0), account("B", behind_seconds=90_000.0)]
    found = reasons(document(account("C"), *sick), Limits(behind=timedelta(hours=2)))
    assert found == ["B not read for 1 d 1 h, and 1 more, at most 2 h"]
    never = account("D", behind_seconds=None, silent_seconds=None)
    limits = Limits(behind=timedelta(hours=2), silent=timedelta(hours=2))
    assert reasons(document(never), limits) == ["D never read, at most 2 h"]


def test_limits_hold_at_their_edge() -> None:
    edge = Limits(timedelta(minutes=1), timedelta(minutes=1), waiting=5, over_sla=2, dead=True)
    assert reasons(document(account("A")), edge) == []


def test_a_dead_account_fails_only_where_that_was_asked_for() -> None:
    dead = document(account("A", green_but_dead=True))
    assert reasons(dead, Limits()) == []
    assert reasons(dead, Limits(dead=True)) == ["A may be dead"]


@pytest.mark.slow
def test_a_dead_account_in_the_warehouse(desk: Desk, inbox: Sandbox) -> None:
    dead, *others = inbox.world.accounts
    for chat in inbox.world.relist():
        if chat["account_id"] == dead and chat["timestamp"]:
            then = datetime.fromisoformat(chat["timestamp"]) - timedelta(days=200)
            inbox.world.edit(chat["id"], timestamp=then)
    for other in others:
        inbox.world.new_chat(other, at=datetime.now(UTC))
    assert desk.run("run").code == 0
    assert desk.run("status").code == 0
    ended = desk.run("status", "--fail-on-dead")
    assert (ended.code, f"{dead} may be dead" in ended.err) == (4, True)

"""`postpress plan` and `postpress status`: what they say of a pipeline's past and future."""

import json
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest

from postpress_source.cli.accounts import LEAST_CHATS, is_dead, last_walks
from postpress_source.cli.screen import span
from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk, assert_plain

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.mark.slow
def test_before_the_first_run(desk: Desk) -> None:
    plan = desk.run("plan", "--json")
    (walk,) = json.loads(plan.out)["walks"]
    assert plan.code == 0, "a plan needs no key"
    assert (walk["kind"], walk["requests_expected"]) == ("full", None)
    status = desk.run("status")
    assert status.code == 1
    assert "postpress run" in status.err
    assert_plain(status.text)
    assert not (desk.folder / "inbox.duckdb").exists(), "looking made a file"


@pytest.mark.slow
def test_plan_and_status_after_runs(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run").code == 0
    inbox.world.advance(timedelta(hours=2))
    inbox.reset()

    plan = json.loads(desk.run("plan", "--json").out)
    (walk,) = plan["walks"]
    assert (walk["kind"], walk["requests_expected"]) == ("head", None)
    assert walk["reads_back_to"] < walk["watermark"]
    full = json.loads(desk.run("plan", "--json", "--full").out)["walks"][0]
    assert (full["kind"], full["requests_expected"], full["like_walks"]) == ("full", 3, 1)
    assert inbox.request_count == 0, "a plan made requests"

    unread = desk.query("SELECT count(*) FROM postpress.chats WHERE unread_count <> 0")[0][0]
    assert walk["sweep"] == {
        "on": False,
        "requests_expected": ceil(unread / 250),
        "unread": unread,
        "reads_seen": 0,
        "reads_seen_by_full_walks": 0,
    }

    done = json.loads(desk.run("run", "--json").out)
    assert done["walks"][0]["kind"] == walk["kind"], "the run did another walk than planned"

    status = json.loads(desk.run("status", "--json").out)
    assert status["rows"]["chats"] == desk.query("SELECT count(*) FROM postpress.chats")[0][0]
    assert status["watermark"] == done["watermark"]
    by_account = dict(desk.query("SELECT account_id, count(*) FROM postpress.chats GROUP BY ALL"))
    assert {a["account_id"]: a["chats"] for a in status["accounts"]} == by_account
    for shown in (desk.run("plan"), desk.run("status")):
        assert shown.code == 0
        assert_plain(shown.text)


@pytest.mark.slow
def test_a_plan_says_what_a_sweep_costs_and_what_full_walks_noticed(
    desk: Desk, inbox: Sandbox
) -> None:
    assert desk.run("run").code == 0
    read = [chat["id"] for chat in inbox.world.relist(unread=True)][:3]
    for chat in read:
        inbox.world.read(chat)
    assert desk.run("run", "--full").code == 0
    told = " ".join(desk.run("plan").text.split())
    assert "sweep = true costs" in told
    assert "of 3 chats that were read, full walks noticed 3" in told


@pytest.mark.slow
def test_plan_of_other_filters_is_a_first_walk(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run").code == 0
    (walk,) = json.loads(desk.run("plan", "--json", "--type", "LINKEDIN").out)["walks"]
    assert (walk["kind"], walk["watermark"]) == ("full", None)


@pytest.mark.slow
def test_status_warns_of_an_account_that_is_green_but_dead(desk: Desk, inbox: Sandbox) -> None:
    dead, *others = inbox.world.accounts
    now = datetime.now(UTC)
    for chat in inbox.world.relist():
        if chat["account_id"] == dead and chat["timestamp"]:
            then = datetime.fromisoformat(chat["timestamp"]) - timedelta(days=200)
            inbox.world.edit(chat["id"], timestamp=then)
    for account in others:
        inbox.world.new_chat(account, at=now)
    assert desk.run("run").code == 0
    status = json.loads(desk.run("status", "--json").out)
    verdicts = {a["account_id"]: a["green_but_dead"] for a in status["accounts"]}
    assert verdicts == {dead: True, **dict.fromkeys(others, False)}
    shown = desk.run("status")
    assert f"! {dead} is read without errors but has been silent" in shown.out
    assert_plain(shown.text)


@pytest.mark.parametrize(
    ("pauses", "silence", "dead"),
    [
        ([1] * 20, 10, False),  # less than a day is never long
        ([1] * 20, 30, True),
        ([1] * 19 + [60], 100, False),  # it has been silent for 60 hours before
        ([1] * 19 + [60], 121, True),
        ([1] * (LEAST_CHATS - 2), 9999, False),  # too little is known of it
        ([0] * 20, 25, True),
    ],
)
def test_dead_by_its_own_past(pauses: list[int], silence: int, dead: bool) -> None:
    newest = [NOW]
    for pause in pauses:
        newest.append(newest[-1] - timedelta(hours=pause))
    assert is_dead(newest, NOW + timedelta(hours=silence)) is dead


def test_never_walked_is_not_dead() -> None:
    assert not is_dead([NOW] * 50, None)


def walk(account_id: str | None, hours: int, *, complete: bool, to_the_end: bool) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "scope": "",
        "started_at": NOW + timedelta(hours=hours),
        "complete": complete,
        "to_the_end": to_the_end,
    }


def test_a_failed_account_is_well_once_all_were_read_to_the_end() -> None:
    failed = walk("acc_1", 1, complete=False, to_the_end=False)
    head = walk(None, 2, complete=True, to_the_end=False)
    full = walk(None, 3, complete=True, to_the_end=True)
    assert failed in last_walks([head, failed])
    assert failed not in last_walks([full, head, failed])
    assert failed in last_walks([failed, walk(None, 0, complete=True, to_the_end=True)])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.96, "10.0 s"),
        (12.4, "12 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (18_600, "5 h 10 min"),
        (86_400 * 3 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text

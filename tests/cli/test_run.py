"""`postpress run`: what it says, how it ends, and what has landed then."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pytest

from postpress_source.sandbox import Fault, RateLimit, Sandbox
from tests.cli.conftest import COLOUR, ESCAPE, POSTPRESS, Desk, assert_plain
from tests.waiting import wait_for

pytestmark = pytest.mark.slow


def landed(desk: Desk) -> list[str]:
    return [row[0] for row in desk.query("SELECT id FROM postpress.chats ORDER BY id")]


def listed(inbox: Sandbox) -> list[str]:
    return sorted(inbox.world.chat_ids)


def every_account(inbox: Sandbox) -> list[str]:
    return [part for account in inbox.world.accounts for part in ("--account", account)]


def test_in_a_pipe(desk: Desk, inbox: Sandbox) -> None:
    first = desk.run("run")
    assert first.code == 0, first.text
    assert_plain(first.text)
    assert landed(desk) == listed(inbox)
    assert "600 read, 600 loaded" in first.out
    assert "inbox.duckdb" in first.out
    assert "postpress status" in first.out
    assert not inbox.sync_calls

    inbox.reset()
    second = json.loads(desk.run("run", "--json").out)
    assert (second["ok"], second["exit_code"]) == (True, 0)
    assert second["requests"] == inbox.request_count
    assert second["rows"]["chats"] == 0, "an unchanged inbox was loaded again"
    (walk,) = second["walks"]
    assert (walk["kind"], walk["unchanged"]) == ("head", True)
    assert second["watermark"] == walk["watermark_after"]

    inbox.world.archive(listed(inbox)[0])
    full = json.loads(desk.run("run", "--json", "--full").out)
    assert full["walks"][0]["kind"] == "full"
    archived = desk.query("SELECT id FROM postpress.chats WHERE archived ORDER BY id")
    assert (listed(inbox)[0],) in archived


def test_progress_in_a_pipe_is_plain_lines(desk: Desk, inbox: Sandbox) -> None:
    inbox.latency = timedelta(seconds=2.5)
    ended = desk.run("run")
    assert ended.code == 0
    assert any("pages" in line and "chats" in line for line in ended.err.splitlines()), ended.err
    assert_plain(ended.text)


@pytest.mark.parametrize("no_color", [False, True])
def test_in_a_terminal(desk: Desk, inbox: Sandbox, no_color: bool) -> None:
    inbox.latency = timedelta(seconds=0.4)
    ended = desk.type("run", *every_account(inbox), **({"NO_COLOR": "1"} if no_color else {}))
    assert ended.code == 0, ended.out
    assert bool(COLOUR.search(ended.out)) != no_color
    shown = ESCAPE.sub("", ended.out)
    assert "of 3 accounts" in shown
    last_lines = [line.split("\r")[-1] for line in shown.replace("\r\n", "\n").split("\n")]
    assert max(map(len, last_lines)) <= 80
    assert "600 read, 600 loaded" in shown
    assert "\x1b[?25h" in ended.out, "the cursor stays hidden"


@pytest.mark.parametrize("accounts", ["all visible", "each in a thread"])
def test_ctrl_c_while_reading(desk: Desk, inbox: Sandbox, accounts: str) -> None:
    inbox.faults.add(Fault(kind="slow", page=2, delay=timedelta(seconds=300), times=None))
    chosen = every_account(inbox) if accounts == "each in a thread" else []
    process = desk.start("run", "--json", *chosen)
    wait_for(lambda: any("cursor" in request.query for request in list(inbox.requests)))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "Interrupted"
    assert err.splitlines()[-1].startswith("Interrupted. Nothing was loaded or lost")
    assert_plain(err)
    assert desk.tables() == set()

    inbox.faults.clear()
    assert desk.run("run", *chosen).code == 0
    assert landed(desk) == listed(inbox)


def test_ctrl_c_in_a_terminal_gives_the_cursor_back(desk: Desk, inbox: Sandbox) -> None:
    inbox.latency = timedelta(seconds=300)
    ended = desk.type("run", until="0 chats")
    assert ended.code == 130
    assert "\x1b[?25h" in ended.out
    assert ESCAPE.sub("", ended.out).strip().endswith("the next run reads it again.")


def test_sigterm_ends_it_too(desk: Desk, inbox: Sandbox) -> None:
    inbox.latency = timedelta(seconds=300)
    process = desk.start("run")
    wait_for(lambda: inbox.request_count)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert err.splitlines()[-1].startswith("Terminated. Nothing was loaded or lost")


def test_no_key(desk: Desk, inbox: Sandbox) -> None:
    del desk.environment["SOURCES__POSTPRESS__API_KEY"]
    ended = desk.run("run")
    assert ended.code == 1
    for way in ("SOURCES__POSTPRESS__API_KEY", ".dlt/secrets.toml", "api_key=...", "--sandbox"):
        assert way in ended.err
    assert_plain(ended.text)
    assert inbox.request_count == 0


def test_key_in_secrets_toml(desk: Desk, inbox: Sandbox) -> None:
    del desk.environment["SOURCES__POSTPRESS__API_KEY"]
    (desk.folder / ".dlt").mkdir()
    (desk.folder / ".dlt/secrets.toml").write_text(
        '[sources.postpress]\napi_key = "pp_live_of_the_file"\n'
    )
    ended = desk.run("run")
    assert ended.code == 0, ended.text
    assert inbox.requests[0].headers["x-api-key"] == "pp_live_of_the_file"
    assert "pp_live_of_the_file" not in ended.text


def test_wrong_key(desk: Desk, inbox: Sandbox) -> None:
    desk.environment["SOURCES__POSTPRESS__API_KEY"] = "not-a-key-of-theirs"
    ended = desk.run("run", "--json")
    assert ended.code == 1
    error = json.loads(ended.out)["error"]
    assert error["type"] == "PostpressAuthError"
    assert "dashboard" in error["next_step"]
    assert ended.err.count("PostpressAuthError") == 1
    assert "not-a-key-of-theirs" not in ended.text
    assert_plain(ended.err)
    assert "chats" not in desk.tables()


def test_the_api_is_down(desk: Desk, inbox: Sandbox) -> None:
    inbox.faults.add(Fault(status=503, times=None))
    ended = desk.run("run")
    assert ended.code == 3, ended.text
    assert "PostpressUnavailableError" in ended.err
    assert "Run again later" in ended.err
    assert_plain(ended.text)


def test_nobody_listens(desk: Desk) -> None:
    desk.environment |= {
        "SOURCES__POSTPRESS__BASE_URL": "http://127.0.0.1:9/v1",
        "SOURCES__POSTPRESS__API_KEY": "pp_live_mine",
    }
    ended = desk.run("run")
    assert ended.code == 3, ended.text
    assert_plain(ended.text)


def test_waits_are_told(desk: Desk, inbox: Sandbox) -> None:
    inbox.faults.add(Fault(status=429, retry_after=timedelta(seconds=4)))
    ended = desk.run("run")
    assert ended.code == 0
    assert "Waiting 4.0 s (Retry-After)" in " ".join(ended.err.split())
    assert "1 retries, waited 4" in ended.out
    assert_plain(ended.text)


def test_a_sick_account_is_named_and_the_others_land(desk: Desk, inbox: Sandbox) -> None:
    well, sick, other = inbox.world.accounts
    inbox.world.disconnect_account(sick)
    ended = desk.run("run", *every_account(inbox))
    assert ended.code == 1
    assert sick in ended.out
    assert "Reconnect the account" in ended.out
    accounts = desk.query("SELECT DISTINCT account_id FROM postpress.chats ORDER BY ALL")
    assert accounts == sorted([(well,), (other,)])

    told = json.loads(desk.run("status", "--json").out)
    assert told["exit_code"] == 1
    assert [walk["account_id"] for walk in told["skipped"]] == [sick]


def test_a_file_that_is_open_elsewhere(desk: Desk, inbox: Sandbox) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; held = duckdb.connect('inbox.duckdb'); print('', flush=True);"
            "sys.stdin.read()",
        ],
        cwd=desk.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline()
    ended = desk.run("run")
    holder.communicate("")
    assert ended.code == 3, ended.text
    assert "Another program has the DuckDB file open" in ended.err
    said = " ".join(ended.err.split())
    assert "Could not set lock on file" in said
    assert f"(PID {holder.pid})" in said, "nobody can close what isn't named"
    assert_plain(ended.text)
    assert desk.run("run").code == 0
    assert landed(desk) == listed(inbox)


def test_a_run_after_ctrl_c_in_the_load_counts_both_loads(desk: Desk, inbox: Sandbox) -> None:
    (desk.folder / "sitecustomize.py").write_text(
        "import dlt.load.load as load\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "load.Load.run = interrupted\n"
    )
    first = desk.run("run", PYTHONPATH=str(desk.folder))
    assert (first.code, desk.tables()) == (130, set())
    assert "the next run reads it again" in first.err
    assert desk.run("run").code == 0
    inbox.world.new_chat(folder=["one", "two"])
    interrupted = desk.run("run", PYTHONPATH=str(desk.folder))
    assert interrupted.code == 130, interrupted.text
    assert "What was read is kept" in interrupted.err
    inbox.world.new_chat(folder=["three"])
    told = json.loads(desk.run("run", "--json").out)
    assert len(told["loads"]) == len(told["walks"]) == 2
    assert landed(desk) == listed(inbox)
    listed_ids = ", ".join(f"'{load_id}'" for load_id in told["loads"])
    brought = f"SELECT id FROM postpress.chats WHERE _dlt_load_id IN ({listed_ids})"  # noqa: S608
    assert told["rows"]["chats"] >= len(desk.query(brought)) == 2
    (folders,) = desk.query(
        f"SELECT count(*) FROM postpress.chats__folder WHERE chat_id IN ({brought})"  # noqa: S608
    )
    assert told["rows"]["chats__folder"] >= folders[0] == 3


def test_what_can_never_be_loaded_is_said_with_the_command_that_frees_the_next_run(
    desk: Desk, inbox: Sandbox
) -> None:
    assert desk.run("run").code == 0
    with duckdb.connect(str(desk.folder / "inbox.duckdb")) as connection:
        for change in ("ADD COLUMN of_mine INTEGER DEFAULT 1", "ALTER of_mine DROP DEFAULT",
                       "ALTER of_mine SET NOT NULL"):  # fmt: skip
            connection.execute(f"ALTER TABLE postpress.chats {change}")
    chat_id = inbox.world.new_chat(name="Zoë Ångström")
    for ended in (desk.run("run"), desk.run("run")):
        assert ended.code == 1, ended.text
        assert "The destination didn't take what was read" in ended.err
        assert "NOT NULL constraint failed" in " ".join(ended.err.split())
        assert "Zoë" not in ended.text
        assert_plain(ended.text)
    inbox.world.delete_chat(chat_id)
    free = " ".join(ended.err[ended.err.rindex("dlt --yes") :].split())
    command = f"{POSTPRESS.with_name('dlt')}{free.removeprefix('dlt')}"
    subprocess.run(["sh", "-c", command], cwd=desk.folder, env=desk.environment, check=True)
    with duckdb.connect(str(desk.folder / "inbox.duckdb")) as connection:
        connection.execute("ALTER TABLE postpress.chats DROP of_mine")
    assert desk.run("run").code == 0
    assert landed(desk) == listed(inbox)


def test_only_unread_chats_since_a_day(desk: Desk, inbox: Sandbox) -> None:
    day = datetime.now(UTC) - timedelta(days=30)
    ended = desk.run("run", "--unread", "--since", day.isoformat())
    assert ended.code == 0, ended.text
    expected = sorted(
        chat["id"]
        for chat in inbox.world.relist()
        if chat["unread_count"]
        and (not chat["timestamp"] or datetime.fromisoformat(chat["timestamp"]) >= day)
    )
    assert 0 < len(expected) < 600
    assert landed(desk) == expected


def test_an_account_that_lists_nothing_is_warned_of(desk: Desk, inbox: Sandbox) -> None:
    ended = desk.run("run", "--account", "acc_mistyped")
    assert ended.code == 0, ended.text
    assert "! Account acc_mistyped: No chat is listed" in ended.out
    assert_plain(ended.text)


def test_parquet_files(desk: Desk, inbox: Sandbox) -> None:
    ended = desk.run("run", "--destination", "filesystem")
    assert ended.code == 0, ended.text
    assert_plain(ended.text)
    assert ended.err.count("! ") == 1, "dlt says it once a table"
    assert "docs/destinations.md" in " ".join(ended.err.split())
    folder = desk.folder / "inbox_parquet" / "postpress" / "chats"
    assert f"{Path('inbox_parquet')}" in ended.out
    table = ds.dataset(sorted(map(str, folder.glob("*.parquet")))).to_table()
    assert sorted(table["id"].to_pylist()) == listed(inbox)
    told = json.loads(desk.run("status", "--destination", "filesystem", "--json").out)
    assert told["rows"]["chats"] == 600


def test_two_destinations_keep_watermarks_of_their_own(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run", "--destination", "filesystem").code == 0
    chat = inbox.world.new_chat()
    assert desk.run("run", "--destination", "filesystem").code == 0
    assert desk.run("run").code == 0
    assert chat in landed(desk)
    assert landed(desk) == listed(inbox)


def test_sandbox_needs_no_key_and_goes_on_where_it_was(desk: Desk) -> None:
    first = desk.run("run", "--sandbox", "--json")
    assert first.code == 0, first.text
    file = "inbox_sandbox.duckdb"
    ids = desk.query("SELECT id FROM postpress.chats ORDER BY id", file)
    assert len(ids) == 500
    second = desk.run("run", "--sandbox", "--full")
    assert second.code == 0
    assert desk.query("SELECT id FROM postpress.chats ORDER BY id", file) == ids
    assert "postpress status --sandbox" in second.out
    commands, _, page = second.out.partition("Look next:")[2].partition("The inbox as a page: ")
    assert (desk.folder / page.strip()).exists()
    assert commands.count("dlt pipeline") == 2
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=desk.folder,
        env=desk.environment | {"PATH": f"{POSTPRESS.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (desk.folder / "inbox.duckdb").exists()


def test_rate_limits_are_heeded(desk: Desk, inbox: Sandbox) -> None:
    inbox.rate_limit = RateLimit(burst=2, per_second=2.0)
    ended = desk.run("run", *every_account(inbox))
    assert ended.code == 0, ended.text
    assert landed(desk) == listed(inbox)


def test_a_reader_that_has_read_enough(desk: Desk, inbox: Sandbox) -> None:
    read, write = os.pipe()
    process = desk.start("run", stdout=write)
    os.close(write)
    os.close(read)
    _, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert landed(desk) == listed(inbox)

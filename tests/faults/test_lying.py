"""Answers that lie: an error within few requests, or harmless; never a short table."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from postpress_source import PostpressContractError, PostpressError, PostpressUnavailableError
from postpress_source.sandbox import Fault
from postpress_source.walks.plan import MAX_EMPTY_PAGES
from tests.faults.conftest import FIRST, KEY, LAST, MIDDLE, PAGES, Inbox
from tests.faults.hostile import Hostile, always, hostile, http

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "no list": ({"kind": "no_list"}, "has not one list of chats"),
    "a list that isn't one": ({"kind": "list_not_list"}, "has not one list of chats"),
    "no cursor": ({"kind": "no_cursor"}, "has not one list of chats"),
    "a record without id": ({"kind": "record_without_id"}, "Record 0 of the page has no id"),
    "deep": ({"kind": "deep", "depth": 100_000}, "nested too deep"),
    "an error beside an empty list": (
        {"kind": "edit", "edit": lambda page: {**page, "items": [], "cursor": None, "error": "x"}},
        "An error came with status 200",
    ),
    "both envelopes": (
        {"kind": "edit", "edit": lambda page: {**page, "data": [], "next_cursor": None}},
        "has not one list of chats",
    ),
    "HTML": ({"kind": "edit", "edit": lambda page: b"<html>Please log in</html>"}, "not JSON"),
    "null": ({"kind": "edit", "edit": lambda page: None}, "The answer is null"),
    "redirect": ({"kind": "redirect", "location": "/v2/chats"}, "redirected to /v2/chats"),
}


SHORTENING = ("no list", "no cursor", "an error beside an empty list")


@pytest.mark.parametrize(
    ("name", "page"),
    [*((name, MIDDLE) for name in LIES), *itertools.product(SHORTENING, (FIRST, LAST))],
)
def test_a_lie_ends_the_run_and_lands_nothing(
    inbox: Inbox, name: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, said = LIES[name]
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "2")
    inbox.break_pages(page, times=None, **fault)
    error = inbox.fail()
    assert type(error) is PostpressContractError
    assert said in str(error)
    assert f"GET /chats, page {page}" in str(error)
    assert len(inbox.sandbox.requests) <= page + 1
    assert not inbox.pipeline.has_pending_data
    file = duckdb.connect(str(Path(inbox.pipeline.pipelines_dir).parent / "warehouse.duckdb"))
    assert file.execute("SHOW ALL TABLES").fetchall() == []
    file.close()


def test_an_error_with_status_200_ends_the_run(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "2")
    inbox.break_pages(MIDDLE, kind="error_200", times=None)
    assert type(inbox.fail()) is PostpressUnavailableError


# --- lists that do not end ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["repeat_cursor", "cycle_cursor"])
def test_a_circling_cursor_is_an_error_within_few_requests(inbox: Inbox, kind: Any) -> None:
    on_cursor_pages: dict[str, Any] = {
        "when": lambda request: "cursor" in request.query,
        "times": None,
    }
    inbox.sandbox.faults.add(Fault(kind=kind, **on_cursor_pages))
    error = inbox.fail()
    assert type(error) is PostpressContractError
    assert "brought no new chat, and no end" in str(error)
    assert len(inbox.sandbox.requests) <= PAGES + 20


def test_the_same_chats_with_ever_new_cursors_are_an_error(inbox: Inbox) -> None:
    inbox.sandbox.faults.add(Fault(kind="endless", times=None))
    error = inbox.fail()
    assert type(error) is PostpressContractError
    assert "brought no new chat, and no end" in str(error)
    assert len(inbox.sandbox.requests) <= PAGES + 20


def endless(records: Callable[[int], list[dict[str, Any]]]) -> Callable[[bytes], Iterator[bytes]]:
    numbers = itertools.count()

    def answer(_: bytes) -> Iterator[bytes]:
        number = next(numbers)
        page = {"object": "ChatList", "items": records(number), "cursor": f"token_{number}"}
        yield http(json.dumps(page).encode())

    return answer


def test_empty_pages_with_ever_new_cursors_are_an_error(inbox: Inbox) -> None:
    with hostile(endless(lambda number: [])) as server:
        error = inbox.fail(base_url=server.url)
        assert type(error) is PostpressContractError
        assert len(server.received) == MAX_EMPTY_PAGES


def test_an_empty_page_is_not_the_end(inbox: Inbox) -> None:
    pages: dict[int, dict[str, Any]] = {
        0: {"items": [{"id": "a"}], "cursor": "1"},
        1: {"items": [], "cursor": "2"},
        2: {"items": [{"id": "b"}], "cursor": None},
    }
    numbers = itertools.count()
    with hostile(lambda request: [http(json.dumps(pages[next(numbers)]).encode())]) as server:
        inbox.run(base_url=server.url)
    assert inbox.ids() == ["a", "b"]


# --- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "target"),
    [
        (301, "same host"),
        (302, "other host"),
        (303, "other port"),
        (307, "other host"),
        (308, "other scheme"),
    ],
)
def test_no_redirect_is_followed_and_no_key_goes_along(
    inbox: Inbox, status: int, target: str
) -> None:
    with hostile(always(http(b'{"items":[],"cursor":null}'))) as other:
        location = {
            "same host": f"{inbox.sandbox.url}/elsewhere",
            "other host": f"http://localhost:{other.port}/v1/chats?steal=1",
            "other scheme": f"https://127.0.0.1:{other.port}/v1/chats",
            "other port": f"{other.url}/chats",
        }[target]
        inbox.sandbox.faults.add(
            Fault(kind="redirect", status=status, location=location, times=None)
        )
        error = inbox.fail()
        assert other.received == []
    assert type(error) is PostpressContractError
    assert "redirects are not followed" in str(error)
    assert "steal" not in str(error)
    assert len(inbox.sandbox.requests) == 1


# --- size -----------------------------------------------------------------------------------------

MEASURED = """
import resource, sys, json
from postpress_source.api.client import PostpressClient, RetrySettings, Traffic
from postpress_source.errors import PostpressError
client = PostpressClient(sys.argv[1], "pp_live_x", RetrySettings(max_attempts=2, backoff_factor=0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    client.get_page({"limit": "250"}, None, page=1, traffic=Traffic())
    said = "a page"
except PostpressError as error:
    said = f"{type(error).__name__}: {error}"
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([said, grown // 1024]))
"""


def measure(url: str) -> tuple[str, int]:
    """What a client of its own process made of it, and the MiB by which its memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, url], capture_output=True, check=True, timeout=300
    )
    said, grown_mib = json.loads(done.stdout)
    return said, grown_mib


def huge(server: Hostile) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    yield b'{"items":[],"cursor":null,"padding":"'
    for _ in range(300):
        yield b"x" * 2**20
    yield b'"}'


def bomb() -> bytes:
    """A page of 128 MiB that is 128 KB on the wire."""
    packer, pieces = gzip.zlib.compressobj(9, gzip.zlib.DEFLATED, 31), []  # type: ignore[attr-defined]
    pieces.append(packer.compress(b'{"items":[],"cursor":null,"padding":"'))
    chunk = b"x" * 2**22
    pieces += [packer.compress(chunk) for _ in range(32)]
    pieces.append(packer.compress(b'"}') + packer.flush())
    return b"".join(pieces)


def test_a_page_of_300_megabytes_is_refused_in_bounded_memory() -> None:
    with hostile(lambda request: huge(server)) as server:
        said, grown_mib = measure(server.url)
        assert "PostpressContractError: The answer is larger than 32 MiB" in said
        assert len(server.received) == 1
        assert server.sent_bytes < 64 * 2**20
    assert grown_mib < 100


def test_a_gzip_bomb_is_refused_in_bounded_memory() -> None:
    body = http(bomb(), headers="content-type: application/json\r\ncontent-encoding: gzip")
    assert len(body) < 2**20
    with hostile(always(body)) as server:
        said, grown_mib = measure(server.url)
        assert "PostpressContractError: The answer is larger than 32 MiB" in said
        assert len(server.received) == 1
    assert grown_mib < 100


# --- texts that attack ----------------------------------------------------------------------------

ATTACKS = [
    "'; DROP TABLE chats; --",
    '"; DROP TABLE inbox.chats; --',
    "') OR 1=1 --",
    "../../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows",
    "C:\\con\\nul",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "@SUM(1+1)",
    "{}",
    "{0.__class__}",
    "{api_key}",
    "%s%s%n%d",
    "$(touch /tmp/x)",
    "`id`",
    "[bold red]x[/]",
    "\x1b[2J\x1b]0;title\x07",
    "a\x00b",
    "\x00",
    "\ufffd\ufeff\u202e\u2028",
    "line\r\nX-API-KEY: stolen",
    "🙃" * 50,
    "x" * 100_000,
    "null",
    "NaN",
    "%00%0a",
    "<script>alert(1)</script>",
    "_dlt_id",
]


def record(number: int, text: str) -> dict[str, Any]:
    return {
        "id": f"{number}{text}",
        "account_id": text,
        "account_type": text,
        "provider_id": text,
        "name": text,
        "folder": [text, text],
        "disabledFeatures": [text],
        "subject": text,
        "timestamp": "2026-05-17T09:42:11.000Z",
        text: {text: [text]},
    }


def test_texts_that_attack_land_as_they_are(inbox: Inbox, tmp_path: Path) -> None:
    records = [record(number, text) for number, text in enumerate(ATTACKS)]
    body = json.dumps({"object": "ChatList", "items": records, "cursor": None}).encode()
    with hostile(always(http(body))) as server:
        for _ in range(2):
            inbox.run(base_url=server.url, full_walk_every="PT0S")
    rows = dict(inbox.query("SELECT id, name FROM chats"))
    assert rows == {f"{number}{text}": text for number, text in enumerate(ATTACKS)}
    folders = inbox.query("SELECT chat_id, value FROM chats__folder")
    assert sorted(folders) == sorted(
        (f"{number}{text}", text) for number, text in enumerate(ATTACKS) for _ in range(2)
    )
    for chat_id, extra in inbox.query("SELECT id, extra FROM chats"):
        text = rows[chat_id]
        assert json.loads(extra) == {text: {text: [text]}}
    assert not Path("/tmp/x").exists()  # noqa: S108
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {
        "pipelines",
        "warehouse",
    }


def test_chats_that_attack_are_deleted_when_gone_and_take_no_other_along(inbox: Inbox) -> None:
    records = [record(number, text) for number, text in enumerate(ATTACKS)]
    left = records[::2]
    bodies = [json.dumps({"items": some, "cursor": None}).encode() for some in (records, left)]
    answers = iter(bodies)
    with hostile(lambda request: [http(next(answers))]) as server:
        for _ in range(2):
            inbox.run(base_url=server.url, full_walk_every="PT0S")
    # accounts that can't be named in SQL keep the rows of chats that are gone
    assert {chat["id"] for chat in left} <= set(inbox.ids())
    assert len(inbox.ids()) == len(set(inbox.ids()))


def test_lone_surrogates_land_as_replacement_characters(inbox: Inbox) -> None:
    body = rb'{"items":[{"id":"a","name":"x\ud83dy","folder":["\udc00"]}],"cursor":null}'
    with hostile(always(http(body))) as server:
        inbox.run(base_url=server.url)
    assert inbox.query("SELECT name FROM chats") == [("x\ufffdy",)]
    assert inbox.query("SELECT value FROM chats__folder") == [("\ufffd",)]


@pytest.mark.parametrize("text", ["{0}{}{x}", "%s%d%", "[red]x[/]", "a\r\nb\x1b[2J", "\x00"])
def test_an_errors_own_texts_attack_nothing(inbox: Inbox, text: str) -> None:
    body = dict.fromkeys(("title", "detail", "instance", "type"), text)
    inbox.sandbox.faults.add(Fault(status=400, body=body, times=None))
    error = inbox.fail()
    assert isinstance(error, PostpressError)
    assert str(error).isprintable()


def test_a_cursor_that_attacks_is_sent_back_as_a_value(inbox: Inbox) -> None:
    cursor = "a&account_id=x&limit=1#\r\nHost: evil\r\n\r\n../ +/=%25\u20ac"
    bodies = iter(
        json.dumps({"items": [{"id": chat_id}], "cursor": token}).encode()
        for chat_id, token in (("a", cursor), ("b", None))
    )
    with hostile(lambda request: [http(next(bodies))]) as server:
        inbox.run(base_url=server.url)
        head = server.received[1].decode()
    assert head.splitlines()[0] == (
        "GET /v1/chats?limit=10&cursor=a%26account_id%3Dx%26limit%3D1%23%0D%0AHost%3A+evil"
        "%0D%0A%0D%0A..%2F+%2B%2F%3D%2525%E2%82%AC HTTP/1.1"
    )
    assert f"X-API-KEY: {KEY}" in head
    assert head.lower().count("host:") == 1
    assert inbox.ids() == ["a", "b"]

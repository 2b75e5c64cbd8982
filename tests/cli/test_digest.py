"""`postpress digest`: five lines, here or in Slack, and whose names are in them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from postpress_source.cli.digest import in_slack
from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk, assert_plain

LABELS = ["waiting", "over SLA", "worst account", "oldest", "needs a person"]
SECRET = "/services/T000/B000/secret-of-the-hook"


@contextmanager
def slack(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook on loopback: its URL, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            posted.append({"path": self.path, **json.loads(self.rfile.read(length))})
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{SECRET}", posted
        server.shutdown()
        thread.join()


@pytest.fixture
def loaded(desk: Desk, inbox: Sandbox) -> Desk:
    """A warehouse whose oldest waiting chat has a name that Slack would ring for."""
    oldest = min(inbox.world.relist(), key=lambda chat: chat["timestamp"] or "9")
    quiet = {"unread_count": 3, "archived": 0, "muted_until": None, "content_type": None}
    inbox.world.edit(oldest["id"], name="Ada <!channel> & Co", **quiet)
    assert desk.run("run").code == 0
    return desk


@pytest.mark.slow
def test_five_lines_without_names(loaded: Desk, inbox: Sandbox) -> None:
    ended = loaded.run("digest")
    assert ended.code == 0, ended.text
    assert_plain(ended.text)
    assert [line[:14].strip() for line in ended.out.splitlines() if line[0] != " "] == LABELS
    people = {chat["name"] for chat in inbox.world.relist() if len(chat["name"] or "") > 3}
    assert not [name for name in people if name in ended.out]
    told = json.loads(loaded.run("digest", "--names", "--json").out)
    assert len(told["lines"]) == 5
    assert "Ada <!channel> & Co in " in told["lines"][3]
    assert told["sent"] is False


@pytest.mark.slow
def test_slack_gets_the_same_and_rings_for_nobody(loaded: Desk) -> None:
    with slack() as (hook, posted):
        ended = loaded.run("digest", "--names", "--slack", RUNTIME__SLACK_INCOMING_HOOK=hook)
    assert ended.code == 0, ended.text
    assert ended.out.splitlines()[-1] == "Sent to Slack."
    (message,) = posted
    assert message["path"] == SECRET
    lines = message["text"].splitlines()
    assert [line.split("*")[1] for line in lines] == LABELS
    assert "Ada &lt;!channel&gt; &amp; Co" in lines[3]
    assert "<" not in message["text"]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code"), [(404, 1), (503, 3), (None, 3)])
def test_what_slack_refuses_is_told_without_the_hook(
    loaded: Desk, status: int | None, code: int
) -> None:
    with slack(status or 200) as (answers, _):
        hook = answers if status else f"http://127.0.0.1:9{SECRET}"
        ended = loaded.run("digest", "--slack", RUNTIME__SLACK_INCOMING_HOOK=hook)
    assert ended.code == code, ended.text
    assert "NotSent" in ended.err
    assert "secret" not in ended.text
    assert_plain(ended.text)


def test_without_a_hook_the_setting_is_named(desk: Desk) -> None:
    ended = desk.run("digest", "--slack")
    assert ended.code == 1
    assert "RUNTIME__SLACK_INCOMING_HOOK" in ended.err
    assert "slack_incoming_hook" in ended.err


def test_slacks_own_marks_are_texts() -> None:
    assert (
        in_slack("<!here> a\n\x1bb & <http://x|y>") == "&lt;!here&gt; a b &amp; &lt;http://x|y&gt;"
    )

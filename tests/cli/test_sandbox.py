"""`postpress sandbox`: served until Ctrl-C, reachable as it says, and time can be let pass."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest
import urllib3

from postpress_source.cli.failures import CommandError
from postpress_source.cli.times import duration
from tests.cli.conftest import Desk, assert_plain


@pytest.fixture
def process(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    started = desk.start("sandbox", "--port", "0", "--chats", "30", "--accounts", "2")
    yield started
    if started.poll() is None:
        started.kill()
        started.communicate()


def test_it_serves_as_it_says(desk: Desk, process: subprocess.Popen[str]) -> None:
    assert process.stdout
    head = [process.stdout.readline() for _ in range(3)]
    assert "30 chats in 2 accounts" in head[0]
    url, key = (re.split(r"\s+", line.strip())[1] for line in head[1:])
    answer = urllib3.request("GET", f"{url}/chats?limit=250", headers={"X-API-KEY": key})
    assert len(answer.json()["items"]) == 30
    other = urllib3.request("GET", f"{url}/chats", headers={"X-API-KEY": "pp_live_other"})
    assert other.status == 401, "a key that it doesn't say is as good as the one that it says"

    port = url.rsplit(":", 1)[1].split("/")[0]
    told = json.loads(desk.run("sandbox", "--port", port, "--advance", "3d", "--json").out)
    assert told["ok"]
    assert sum(told["events"].values()) > 0
    assert desk.run("sandbox", "--port", port).code == 2, "the port is taken"

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "Stopped."


def test_nobody_to_advance(desk: Desk) -> None:
    ended = desk.run("sandbox", "--port", "9", "--advance", "6h")
    assert ended.code == 1
    assert "postpress sandbox --port 9" in ended.err
    assert_plain(ended.text)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("30m", 0.5), ("6h", 6), ("1.5d", 36), ("2w", 336), ("PT6H", 6), ("P1DT30M", 24.5)],
)
def test_durations(text: str, hours: float) -> None:
    assert duration("--advance", text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "6", "h", "-1h", "P", "PT", "6 hours"])
def test_no_durations(text: str) -> None:
    with pytest.raises(CommandError):
        duration("--advance", text)

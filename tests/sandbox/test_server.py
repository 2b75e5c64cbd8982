"""Starting, stopping, processes of their own, and time that passes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from postpress_source.sandbox import Sandbox, World, generate_world, serve, serve_process
from postpress_source.sandbox.server import SandboxProcess
from tests.waiting import wait_for

NOW = datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def origin(sandbox: Sandbox | SandboxProcess) -> str:
    return sandbox.url.removesuffix("/v1")


def get_chats(http: urllib3.PoolManager, sandbox: Sandbox | SandboxProcess, **fields: str) -> Any:
    headers = {"X-API-KEY": sandbox.key}
    return http.request("GET", f"{sandbox.url}/chats", fields=fields, headers=headers).json()


def test_it_serves_on_loopback_and_stops(http: urllib3.PoolManager) -> None:
    threads = threading.active_count()
    with serve(World()) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert get_chats(http, sandbox)["items"] == []
    assert threading.active_count() == threads
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        urllib3.PoolManager(retries=False).request("GET", f"{sandbox.url}/chats")


def test_a_port_of_ones_own_and_a_taken_one(http: urllib3.PoolManager) -> None:
    with serve(World()) as sandbox:
        port = int(origin(sandbox).rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve(World(), port=port):
            pass
    with serve(World(), port=port) as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{port}/v1"
        assert get_chats(http, sandbox)["items"] == []


def test_it_leaves_signal_handlers_and_logs_alone(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with serve(World()) as sandbox:
        urllib3.PoolManager(retries=False).request("GET", f"{sandbox.url}/chats")
        now = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert now == handlers
    assert capfd.readouterr() == ("", "")


def test_another_world_may_be_served_at_once(http: urllib3.PoolManager) -> None:
    with serve(World()) as sandbox:
        sandbox.reset(generate_world(5, 1, now=NOW))
        assert len(get_chats(http, sandbox)["items"]) == 5
        sandbox.reset(World())
        assert get_chats(http, sandbox)["items"] == []


def test_time_passes_over_http(http: urllib3.PoolManager) -> None:
    world = generate_world(300, 2, now=NOW)
    with serve(world) as sandbox:
        call = f"{origin(sandbox)}/_sandbox/advance"
        before = world.relist()
        told = http.request("POST", call, json={"hours": 6}).json()
        assert told["now"] == "2026-05-17T15:42:11.000Z"
        assert told["events"]
        assert world.relist() != before
        before = world.relist()
        assert http.request("POST", call, json={"hours": 1, "activity": 0}).json()["events"] == {}
        assert world.relist() == before
        assert http.request("POST", call, json={"hours": -1}).status == 422
        stats = http.request("GET", f"{origin(sandbox)}/_sandbox/stats").json()
    assert (stats["now"], stats["chats"]) == ("2026-05-17T16:42:11.000Z", len(world))
    assert [account["type"] for account in stats["accounts"]] == ["LINKEDIN", "WHATSAPP"]
    assert stats["requests"] == 0, "the control API isn't counted"


def test_the_control_api_answers_to_no_other_name(http: urllib3.PoolManager) -> None:
    with serve(World()) as sandbox:
        stats = f"{origin(sandbox)}/_sandbox/stats"
        assert http.request("GET", stats).status == 200
        assert http.request("GET", stats, headers={"Host": "evil.example"}).status == 404


def test_a_process_of_its_own(http: urllib3.PoolManager) -> None:
    more: dict[str, Any] = {"order": "by_id", "envelope": "data"}
    with serve_process(40, 2, 3, NOW, **more) as sandbox:
        assert sandbox.pid != os.getpid()
        here = generate_world(40, 2, 3, NOW, **more)
        assert get_chats(http, sandbox)["data"] == here.relist()
        assert sandbox.advance(timedelta(hours=36)) == here.advance(timedelta(hours=36))
        assert get_chats(http, sandbox, limit="250")["data"] == here.relist()
        assert sandbox.stats()["requests"] == 2
    with pytest.raises(ProcessLookupError):
        os.kill(sandbox.pid, 0)


def test_a_process_that_cannot_start_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="didn't start"), serve_process(1, 0):
        pass
    assert "ValueError" in capfd.readouterr().err


def start_forever(**arguments: Any) -> subprocess.Popen[str]:
    call = f"from postpress_source.sandbox import run_forever; run_forever(port=0, **{arguments})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", call], stdout=subprocess.PIPE, env=environment, text=True
    )


def test_it_runs_until_ctrl_c_and_time_passes_meanwhile(http: urllib3.PoolManager) -> None:
    process = start_forever(chats=300, accounts=2, speed=100_000)
    try:
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, f"it ended after {printed!r}"
            printed += line
        (url,) = re.findall(r"base_url  (\S+)", printed)
        first = ask_as_printed(printed)
        wait_for(lambda: ask_as_printed(printed) != first, "time passes there", pause=0.2)
        stats = http.request("GET", url.removesuffix("/v1") + "/_sandbox/stats").json()
        assert abs(datetime.now(UTC) - datetime.fromisoformat(stats["now"])) < timedelta(minutes=2)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=120)[0] == "Stopped.\n"
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()  # closes its pipe too


def ask_as_printed(printed: str) -> Any:
    """Do what the printed curl command does: the reference page's, with the base URL above it."""
    command = re.compile(
        r"curl --request GET \\\n"
        r"  --url '(http://127\.0\.0\.1:\d+/v1/chats\?account_id=acc_\w{26}&limit=100)' \\\n"
        r"  --header 'X-API-KEY: (pp_test_\w+)' \\\n"
        r"  --header 'accept: application/json'\n"
    )
    ((url, key),) = command.findall(printed)
    headers = {"X-API-KEY": key, "accept": "application/json"}
    answer = urllib3.PoolManager(retries=False).request("GET", url, headers=headers)
    assert answer.status == 200
    page = json.loads(answer.data)
    assert len(page["items"]) == 100
    return page


def test_a_world_can_be_imported_without_a_web_framework() -> None:
    # The package's own __init__ is not the sandbox's matter, so it is left out.
    code = """
import sys, types, pathlib
package = types.ModuleType("postpress_source")
package.__path__ = [sys.argv[1]]
sys.modules["postpress_source"] = package
from postpress_source.sandbox import World, generate_world
import postpress_source.sandbox.world
assert not {"fastapi", "starlette", "uvicorn", "dlt"} & sys.modules.keys()
print(len(generate_world(10)))
"""
    folder = Path(__file__).parents[2] / "postpress_source"
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("10\n", "")

"""`postpress sandbox`: a made-up PostPress on this machine; and the one of `run --sandbox`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.screen import Screen
from postpress_source.cli.times import duration
from postpress_source.sandbox import generate_world

if TYPE_CHECKING:
    import dlt

    from postpress_source.sandbox import Sandbox

_STEP: Final = timedelta(minutes=10)
_LONGEST: Final = timedelta(days=60)
_KEY: Final = "pp_live_sandbox"  # for a pp_test_ key the source warns
_SINCE: Final = "postpress_sandbox_since"


def serve(
    chats: int, accounts: int, seed: int, port: int, speed: float, behind: str, screen: Screen
) -> None:
    """Serve until Ctrl-C, which is how it is meant to end."""
    how_far = duration("--behind", behind)
    _check_installed()
    from postpress_source.sandbox import run_forever

    def say(text: str) -> None:
        screen.out.file.write(text + "\n")
        screen.out.file.flush()

    try:
        run_forever(chats, accounts, seed, port=port, speed=speed, behind=how_far, say=say)
    except OSError as error:
        raise CommandError(
            Failure(
                "PortTaken",
                f"Port {port} can't be used: {error.strerror}.",
                ExitCode.USAGE,
                next_step="Name another one with --port; 0 takes a free one.",
            )
        ) from error


def advance(port: int, time: str, screen: Screen) -> None:
    """Let time pass in the sandbox that runs on a port, and say what happened there."""
    hours = duration("--advance", time) / timedelta(hours=1)
    url = f"http://127.0.0.1:{port}/_sandbox/advance"
    request = urllib.request.Request(
        url, json.dumps({"hours": hours}).encode(), {"content-type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
    except (OSError, ValueError) as error:
        raise CommandError(
            Failure(
                "NoSandbox",
                f"No sandbox answers on port {port}.",
                ExitCode.MEND,
                (("It said", str(error)),),
                f"Start one: postpress sandbox --port {port}",
            )
        ) from error
    screen.document({"ok": True, "exit_code": 0, **answer})
    screen.say(f"{time} passed; it is {answer['now']} there.")
    screen.table(("what happened", "times"), sorted(answer["events"].items()))


@contextmanager
def serve_lasting_world(pipeline: dlt.Pipeline) -> Iterator[tuple[Sandbox, dict[str, Any]]]:
    """A sandbox on a free port, whose inbox goes on where the pipeline's last run left it.

    Its time is the real one, in steps of ten minutes; the pipeline's working folder keeps its
    beginning. After 60 days it begins anew, and takes the place of the one before.

    Yields:
        The sandbox, and what the pipeline's run is to be given besides.
    """
    _check_installed()
    from postpress_source.sandbox import serve

    now = datetime.now(UTC)
    since = _since(pipeline, now)
    options = {"refresh": "drop_sources"} if since is None else {}
    since = since or now.replace(microsecond=0)
    world = generate_world(now=since)
    for _ in range((now - since) // _STEP):
        world.advance(_STEP)  # one by one, so that the past is the same whenever it is asked for
    with serve(world, api_key=_KEY) as sandbox:
        yield sandbox, options
    # not sooner: until it is loaded, what is there may be of the one before
    pipeline.set_local_state_val(_SINCE, since.isoformat())


def _since(pipeline: dlt.Pipeline, now: datetime) -> datetime | None:
    try:
        since = datetime.fromisoformat(pipeline.get_local_state_val(_SINCE))
    except (KeyError, ValueError):
        return None
    return since if timedelta(0) <= now - since < _LONGEST else None


def _check_installed() -> None:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise CommandError(
            Failure(
                "NotInstalled",
                "The sandbox's packages aren't installed.",
                ExitCode.MEND,
                next_step="pip install 'postpress-source[sandbox]'",
            )
        ) from error

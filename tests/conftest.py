"""Settings that every test shares, and the small inbox that most of them load."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dlt
import pytest
from hypothesis import HealthCheck, settings

from postpress_source.sandbox import Sandbox, World, generate_world, serve

# Who starts the tests in the background (nohup, some CIs) has SIGINT ignored, and so would have all
# that a test starts: unlike a handler, that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine stalls now and then; slowness is the watchdog's matter.
settings.register_profile(
    "dev", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples on every run, so that a red build means a changed program.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """End the run when a worker has died; the others may wait for it for ever."""
    pytest.exit(f"A worker died in {crashitem}", returncode=1)


@pytest.fixture
def world() -> World:
    """120 chats in two accounts."""
    return generate_world(chats=120, accounts=2, seed=6)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    """The world, served."""
    with serve(world) as server:
        yield server


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    """A pipeline into a DuckDB file that isn't there yet."""
    return dlt.pipeline(
        "inbox",
        destination=dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(tmp_path / "pipelines"),
    )

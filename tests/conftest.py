"""Settings that every test shares, and the small inbox that most of them load."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any
from uuid import uuid4

import dlt
import pytest
from hypothesis import HealthCheck, settings

from postpress_source.sandbox import Sandbox, World, generate_world, serve

# Who starts the tests in the background (nohup, some CIs) has SIGINT ignored, and so would have all
# that a test starts: unlike a handler, that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a run of the tests chooses anew: the same in all its workers, and given again to repeat it.
os.environ.setdefault("PROOF_SEED", str(SystemRandom().randrange(10**6)))

# A shared machine stalls now and then; slowness is the watchdog's matter.
settings.register_profile(
    "dev", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples on every run, so that a red build means a changed program.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


_BEGAN = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--within`: for a machine of which nobody knows how fast it is."""
    parser.addoption(
        "--within",
        type=float,
        metavar="SECONDS",
        help="begin no test later: files in the order that PROOF_SEED chooses, the proof first",
    )


def pytest_report_header() -> str:
    """How to have the same choice again."""
    return f"PROOF_SEED={os.environ['PROOF_SEED']}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where not all can be run, others are each time."""
    if config.option.within is not None:
        chance = Random(int(os.environ["PROOF_SEED"]))
        places = {path: chance.random() for path in dict.fromkeys(item.path for item in items)}
        items.sort(key=lambda item: (item.path.parent.name != "proof", places[item.path]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out when the time is up; how many were stands in the summary."""
    within: float | None = item.config.option.within
    if within is not None and time.monotonic() - _BEGAN > within:
        pytest.skip("no time left: another run has it")


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
def into(tmp_path: Path) -> Iterator[Any]:
    """What tells `dlt.pipeline` of a place where there is nothing yet.

    A DuckDB file; with POSTPRESS_TEST_HABITS=postgres a dataset of the server's.
    """
    if os.environ.get("POSTPRESS_TEST_HABITS") != "postgres":
        file = str(tmp_path / "inbox.duckdb")
        yield {"destination": dlt.destinations.duckdb(file), "dataset_name": "postpress"}
        return
    destination = dlt.destinations.postgres(os.environ["POSTPRESS_TEST_POSTGRES"])
    into: Any = {"destination": destination, "dataset_name": f"habits_{uuid4().hex[:8]}"}
    yield into
    pipeline: dlt.Pipeline = dlt.pipeline("drop", pipelines_dir=str(tmp_path / "drop"), **into)
    with pipeline.sql_client() as client:
        for suffix in ("", "_staging"):
            client.execute_sql(f"DROP SCHEMA IF EXISTS {into['dataset_name']}{suffix} CASCADE")


@pytest.fixture
def opened(tmp_path: Path, into: Any) -> Callable[..., dlt.Pipeline]:
    """Opens a pipeline to that place, each time as a new process would."""

    def open_pipeline(**arguments: Any) -> dlt.Pipeline:
        folder = str(tmp_path / "pipelines")
        pipeline: dlt.Pipeline = dlt.pipeline("inbox", pipelines_dir=folder, **into | arguments)
        return pipeline

    return open_pipeline


@pytest.fixture
def pipeline(opened: Callable[..., dlt.Pipeline]) -> dlt.Pipeline:
    """A pipeline to a place where there is nothing yet."""
    return opened()

"""An inbox that is served, and destinations to load it into."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from postpress_source import postpress_source
from postpress_source.sandbox import Sandbox, World, serve
from tests.destinations.targets import BUCKET, Place, Target

HOLD: Any = timedelta(days=1)
"""As `full_walk_every`: the next walk is a head walk."""


@pytest.fixture(scope="session", autouse=True)
def _extensions() -> None:
    """DuckDB's extensions from their packages, so that nothing is downloaded."""
    from duckdb_extensions import import_extension

    for name in ("ducklake", "httpfs"):
        import_extension(name)


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server in a process of its own: deltalake holds this one's lock while it asks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        (tmp_path_factory.mktemp("s3") / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        url = f"http://127.0.0.1:{port}"
        _make_bucket(url)
        yield url
        server.terminate()


def _make_bucket(url: str) -> None:
    import urllib3

    for _ in range(150):
        try:
            answer = urllib3.request("PUT", f"{url}/{BUCKET}", retries=False)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
        else:
            assert answer.status == 200
            return
    pytest.fail("the S3 server didn't start")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One server; each test brings its world."""
    with serve(World()) as sandbox:
        yield sandbox


class Inbox:
    """A world, a destination, and the pipeline between them.

    Attributes:
        world: What is served.
        place: Where it lands.
    """

    def __init__(self, sandbox: Sandbox, place: Place, work: Path) -> None:
        self.place = place
        self._sandbox = sandbox
        self._work = work
        self._machine = 1

    @property
    def world(self) -> World:
        return self._sandbox.world

    def serve(self, world: World) -> World:
        """Serve another world from now on."""
        self._sandbox.reset(world)
        return world

    def pipeline(self) -> dlt.Pipeline:
        return dlt.pipeline(
            "postpress",
            pipelines_dir=str(self._work / f"machine{self._machine}"),
            destination=self.place.target.connect(self.place),
            dataset_name=self.place.dataset,
        )

    def run(self, full_walk_every: timedelta = timedelta(0), **arguments: Any) -> dlt.Pipeline:
        """Load; a full walk unless told otherwise."""
        source = postpress_source(
            api_key="pp_live_x",
            base_url=self._sandbox.url,
            full_walk_every=full_walk_every,
            **arguments,
        )
        source.chats.apply_hints(table_format=self.place.target.table_format)  # type: ignore[arg-type]
        pipeline = self.pipeline()
        pipeline.run(source)
        return pipeline

    def move_to_a_new_machine(self) -> None:
        """Nothing is left but the destination."""
        shutil.rmtree(self._work / f"machine{self._machine}")
        self._machine += 1


@pytest.fixture
def make_inbox(
    sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[Target], Inbox]:
    """Makes an inbox for a target."""

    def make(target: Target) -> Inbox:
        folder = tmp_path / "destination"
        folder.mkdir()
        url = request.getfixturevalue("s3_url") if target.s3 else None
        place = Place(target, folder, url)
        return Inbox(sandbox, place, tmp_path)

    return make

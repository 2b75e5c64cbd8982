"""The whole pipeline under the same histories: real HTTP, dlt, DuckDB; failures of every step."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from hypothesis import Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from postpress_source import PostpressError, postpress_source
from postpress_source.sandbox import Fault, Sandbox, World, serve
from tests.proof.landed import as_landed, landed_chats, select
from tests.proof.listing import LONG, Order, Row
from tests.proof.machine import Follows, Ran, examples


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    environment = pytest.MonkeyPatch()
    environment.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
    # one after the other, so that the same history gives the same walks
    environment.setenv("SOURCES__POSTPRESS__PARALLEL_ACCOUNTS", "1")
    with serve(World()) as WholePipeline.sandbox:
        yield
    environment.undo()


class WholePipeline(Follows):
    sandbox: ClassVar[Sandbox]
    chats = st.sampled_from([3, 24, 45])

    def begins_at(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    def open_warehouse(self, limit: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="proof-"))
        self.limit = limit
        self.loaded = False
        self.sandbox.reset(self.world)
        self.pipeline = self.attach()

    def attach(self) -> dlt.Pipeline:
        return dlt.pipeline(
            "proof",
            destination=dlt.destinations.duckdb(str(self.database)),
            dataset_name="postpress",
            pipelines_dir=str(self.folder / "pipelines"),
        )

    @property
    def database(self) -> Path:
        return self.folder / "inbox.duckdb"

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.pipeline.deactivate()
            shutil.rmtree(self.folder)
        if self.sandbox.crashes:
            raise self.sandbox.crashes.pop()

    # --- runs ------------------------------------------------------------------------------------

    def source(self, order: Order) -> Any:
        source = postpress_source(
            api_key="pp_live_of_the_tests",
            base_url=self.sandbox.url,
            account_id=order.account_ids or None,
            account_type=order.account_type,
            unread=order.unread,
            limit=self.limit,
            # the world's clock isn't this machine's, by which the package goes
            full_walk_every=timedelta(0) if self.some_due else LONG,
        )
        if order.start:
            source.chats.apply_hints(
                incremental=dlt.sources.incremental("timestamp", initial_value=order.start)
            )
        return source

    def load(self, order: Order) -> Sequence[Ran]:
        self.arm(order)
        try:
            self.pipeline.run(self.source(order))
        except PipelineStepFailed as failed:
            raise cause_of(failed) from failed
        finally:
            self.sandbox.faults.clear()
        return self.walks()

    def arm(self, order: Order) -> None:
        before = self.sandbox.request_count
        if order.trouble.fails:
            self.sandbox.faults.add(Fault(status=503, request=before + order.trouble.fails))
        for number in order.trouble.refused:
            self.sandbox.faults.add(
                Fault(status=400, request=before + number, when=lambda r: "cursor" in r.query)
            )

    def walks(self) -> Sequence[Ran]:
        """The walks of the last load, from the ledger."""
        self.loaded = True
        rows = select(
            self.pipeline,
            "SELECT account_id, kind, to_the_end, complete FROM chat_walks WHERE _dlt_load_id = "
            "(SELECT max(_dlt_load_id) FROM chat_walks) ORDER BY account_id NULLS FIRST",
        )
        return [
            Ran(row["account_id"], row["kind"] == "full", row["to_the_end"], not row["complete"])
            for row in rows
        ]

    def table(self) -> dict[str, Row]:
        return landed_chats(self.pipeline) if self.loaded else {}

    def shape(self, row: Row) -> Row:
        return as_landed(row)

    # --- what else can happen to a pipeline ------------------------------------------------------

    @precondition(lambda self: self.loaded)
    @rule()
    def new_machine(self) -> None:
        note("a new machine: only the destination is left")
        shutil.rmtree(self.folder / "pipelines")
        self.pipeline = self.attach()

    @precondition(lambda self: self.loaded and not self.away())
    @rule(gives_up=st.booleans())
    def load_breaks(self, gives_up: bool) -> None:
        """The destination is away when a run wants to load; then it is back."""
        note(f"a load breaks, and is {'given up' if gives_up else 'repeated'}")
        view = self.view("everything", None)
        self.some_due, self.touched, self.skips = view.is_due(self.world.now, LONG), [], 0
        due: set[str | None] = {None} if self.some_due else set()
        before, began = self.table(), self.world.now
        self.pipeline.sync_destination()
        self.pipeline.extract(self.source(Order()))
        self.pipeline.normalize()
        aside = self.database.with_suffix(".aside")
        self.database.rename(aside)
        self.database.mkdir()
        with pytest.raises(PipelineStepFailed):
            self.pipeline.load()
        self.database.rmdir()
        aside.rename(self.database)
        assert self.table() == before, "half a load landed"
        if gives_up:
            self.pipeline.abort_packages()
            return
        self.pipeline.run()  # loads what is pending
        self.compare([view], self.walks(), due, before, began, set())


def cause_of(error: BaseException | None) -> PostpressError:
    """The package's error behind dlt's."""
    while error is not None:
        if isinstance(error, PostpressError):
            return error
        error = error.__cause__ or error.__context__
    raise AssertionError("the run failed, and not by an error of the package")


TestWholePipeline = pytest.mark.slow(WholePipeline.TestCase)
TestWholePipeline.settings = settings(
    max_examples=examples(8),
    stateful_step_count=10,
    # a run takes most of a second; the core's histories are the ones that shrink
    phases=[phase for phase in Phase if phase is not Phase.shrink],
)

"""The decisions, proved: any world, anything that happens, before, between and while walks run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dlt
import pytest
from hypothesis import settings

from postpress_source.walks.plan import Kind, kind_of
from tests.proof.listing import Order, Row
from tests.proof.machine import Follows, Ran, examples
from tests.proof.warehouse import Warehouse


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Progress is reported to the active pipeline, whatever it is."""
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    yield
    active.deactivate()


class Core(Follows):
    def open_warehouse(self, limit: int) -> None:
        self.warehouse = Warehouse(self.world, limit)

    def load(self, order: Order) -> Sequence[Ran]:
        return [
            Ran(
                walk.account_id,
                kind_of(walk.plan, walk.progress) is Kind.FULL,
                walk.to_the_end,
                failed=walk.error is not None,
            )
            for walk in self.warehouse.run(order)
        ]

    def table(self) -> dict[str, Row]:
        return dict(self.warehouse.rows)


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=examples(300), stateful_step_count=20)

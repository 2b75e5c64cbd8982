"""What the proofs share."""

from __future__ import annotations

from collections.abc import Iterator

import dlt
import pytest


@pytest.fixture
def active_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Progress is reported to the active pipeline, whatever it is."""
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    yield
    active.activate()  # a test may have made others
    active.deactivate()

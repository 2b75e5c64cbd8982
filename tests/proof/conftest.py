"""What the proofs share."""

from __future__ import annotations

import logging
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


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package logs nothing, nor does dlt: what goes wrong is meant to."""
    loggers = [logging.getLogger(name) for name in ("postpress_source", "dlt")]
    for logger in loggers:
        monkeypatch.setattr(logger, "disabled", True)

"""The notebooks run, say what the repository has them say, and say it on PostgreSQL too."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any, Final

import nbformat
import pytest

NOTEBOOKS: Final = Path(__file__).parents[2] / "notebooks"
POSTGRES: Final = os.environ.get("POSTPRESS_TEST_POSTGRES", "")
NAMES: Final = ("inbox_health", "can_i_trust_it")


def read(name: str) -> Any:
    path = NOTEBOOKS / f"{name}.ipynb"
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it has no types


def run(notebook: Any, monkeypatch: pytest.MonkeyPatch, home: Path) -> Any:
    """The notebook after a run by `notebooks/refresh.py`, away from this machine's settings."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return run_path(str(NOTEBOOKS / "refresh.py"))["run"](notebook)


def told(notebook: Any) -> list[str]:
    """All that its code cells say in text, cell by cell; pictures are named only."""
    said = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                continue  # dlt warns on PostgreSQL of files without rows; none is committed
            data = output.get("data", {})
            text = output.get("text") or data.get("text/markdown") or data.get("text/plain")
            said.append(re.sub(r"<Figure size .*>", "picture", str(text)))
    return said


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_in_the_repository_are_those_of_a_fresh_run(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = read(name)
    committed = told(notebook)
    assert told(run(notebook, monkeypatch, tmp_path)) == committed, "make notebooks"


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.skipif(not POSTGRES, reason="POSTPRESS_TEST_POSTGRES is not set")
@pytest.mark.parametrize("name", ["inbox_health"])
def test_postgres_gives_the_same_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dataset: str
) -> None:
    """The notebooks compare each view with pandas, so their last cells hold on PostgreSQL too."""
    notebook = read(name)
    committed = told(notebook)
    cell = next(c for c in notebook.cells if "dlt.destinations.duckdb(" in c.source)
    cell.source, places = re.subn(
        r"dlt\.destinations\.duckdb\(f\".*\"\)",
        f"dlt.destinations.postgres({POSTGRES!r})",
        cell.source,
    )
    cell.source, datasets = re.subn(r'"postpress"(?=,\n)', repr(dataset), cell.source)
    assert (places, datasets) == (1, 1)
    assert told(run(notebook, monkeypatch, tmp_path)) == committed


@pytest.fixture
def dataset(request: pytest.FixtureRequest) -> Iterator[str]:
    psycopg2 = pytest.importorskip("psycopg2")
    dataset = f"notebook_{os.getpid()}"
    yield dataset
    connection = psycopg2.connect(POSTGRES)
    with connection, connection.cursor() as cursor:
        for schema in (dataset, f"{dataset}_staging"):
            cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_as_a_reader_needs_it(name: str) -> None:
    notebook = read(name)
    text = (NOTEBOOKS / f"{name}.ipynb").read_text("utf-8")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    pictures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 5
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert len(text) < 1_000_000
    # nothing of the machine that it ran on
    assert not re.search(r"/(tmp|home|root|Users)/|127\.0\.0\.1:\d", text)


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)


def test_the_health_notebook_ends_with_three_computed_sentences() -> None:
    last = read("inbox_health").cells[-1]
    sentences = last.outputs[-1].data["text/markdown"].splitlines()
    assert [sentence[:2] for sentence in sentences] == ["1.", "2.", "3."]
    numbers = set(re.findall(r"\d{2,}", " ".join(sentence[2:] for sentence in sentences))) - {"00"}
    assert len(numbers) >= 6
    assert not [n for n in numbers if re.search(rf"\b{n}\b", last.source)], "typed, not computed"

"""docs/dlt-internals.md: what is said to be missing in dlt is missing, and nothing else is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "dlt-internals.md").read_text("utf-8")
SCRIPTS = dict(re.findall(r"^## ([^\n]+)\n+```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
PLACES = re.findall(r"^\| [^|]+ \| `(\S+): ([\w.]+)` \| [^|]+ \| `(\S+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("title", SCRIPTS)
def test_what_dlt_lacks_it_lacks_still(title: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DLT_DATA_DIR": str(tmp_path / "dlt")}
    command = [sys.executable, "-c", SCRIPTS[title]]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"dlt has changed, see docs/dlt-internals.md: {ran.stderr}"


@pytest.mark.parametrize(("file", "name", "test"), PLACES)
def test_the_places_are_where_the_page_says(file: str, name: str, test: str) -> None:
    defined = name.rpartition(".")[2]
    source = (ROOT / "postpress_source" / file).read_text("utf-8")
    assert re.search(rf"^\s*(?:def|class) {defined}\b", source, re.MULTILINE)
    assert (ROOT / test).exists()


def test_no_other_private_name_of_dlt_is_used() -> None:
    """Private access is marked for the linter, which otherwise refuses it."""
    marked = {
        str(path.relative_to(ROOT / "postpress_source")): path.read_text("utf-8").count("SLF001")
        for path in (ROOT / "postpress_source").rglob("*.py")
    }
    listed = {file for file, _, _ in PLACES}
    assert {file for file, times in marked.items() if times} <= listed
    assert sum(marked.values()) == 1
    assert len(PLACES) == 6
    assert len(SCRIPTS) == 5

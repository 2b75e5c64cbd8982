"""`dlt init postpress duckdb --location <clone>`, offline, and what it leaves behind."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pytest
from packaging.requirements import Requirement

from postpress_source.sandbox import generate_world, serve
from tests.packaging.conftest import PROJECT, ROOT, run

DLT = Path(sys.executable).with_name("dlt")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with nothing in it but what dlt reads."""
    folder = tmp_path / "clone"
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sources", folder / "sources", ignore=caches)
    author = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", ".", cwd=folder)
    run("git", *author, "commit", "--quiet", "--message", "All", cwd=folder)
    return folder


@pytest.mark.slow
def test_a_clone_is_set_up_and_its_pipeline_loads(clone: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    environment = {
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    asked = ("init", "postpress", "duckdb", "--location", clone)
    said = run(DLT, "--non-interactive", *asked, cwd=project, **environment)
    assert "Verified source postpress was added" in said
    assert "dirty" not in said

    secrets = tomllib.loads((project / ".dlt" / "secrets.toml").read_text())
    assert secrets["sources"]["postpress"].keys() == {"api_key"}
    lines = (project / "requirements.txt").read_text().splitlines()
    wanted = {one.name: one for one in map(Requirement, lines)}
    bounds = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
    assert wanted["dlt"].specifier == bounds["dlt"].specifier
    assert wanted["postpress-source"].specifier.contains(PROJECT["version"])

    with serve(generate_world(chats=300)) as server:
        printed = run(
            sys.executable,
            *("-W", "ignore", "postpress_pipeline.py"),
            cwd=project,
            SOURCES__POSTPRESS__BASE_URL=server.url,
            SOURCES__POSTPRESS__API_KEY="pp_live_init_0123456789",
            **environment,
        )
    assert "1 load package(s) were loaded to destination duckdb" in printed
    count = "SELECT count(*) FROM postpress_data.chats"
    with duckdb.connect(str(project / "postpress.duckdb"), read_only=True) as connection:
        assert connection.execute(count).fetchall() == [(300,)]


def test_it_is_listed_with_what_it_is(clone: Path, tmp_path: Path) -> None:
    listed = subprocess.run(
        [DLT, "init", "--list-sources", "--location", clone],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "RUNTIME__DLTHUB_TELEMETRY": "false", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "postpress: The PostPress inbox in your warehouse" in listed

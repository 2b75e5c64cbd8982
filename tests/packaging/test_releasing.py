"""The recipe of a release: what is built, what stops it, and the workflows that follow it."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.conftest import PROJECT, ROOT, UV, run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VERSION = PROJECT["version"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a release is made from."""
    folder = tmp_path / "project"
    caches = shutil.ignore_patterns("__pycache__")
    for name in ("postpress_source", ".ci"):
        shutil.copytree(ROOT / name, folder / name, ignore=caches)
    for name in ("pyproject.toml", "uv.lock", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    return folder


def release(project: Path, *tag: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(project / ".ci" / "release"), *tag]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def replace(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_release_is_built_when_all_is_ready_and_not_before(project: Path) -> None:
    refused = release(project, "v9.9.9")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"The tag is v9.9.9, the version in pyproject.toml {VERSION}.",
        f"CHANGELOG.md has no section '## [{VERSION}] - YYYY-MM-DD'.",
        "README.md still says that nothing is on PyPI.",
    ]
    assert not (project / "dist").exists()

    replace(project / "README.md", "on PyPI yet", "on PyPI")
    title = f"## [Unreleased]\n\n## [{VERSION}] - 2026-12-01"
    replace(project / "CHANGELOG.md", "## [Unreleased]", title)
    made = release(project, f"v{VERSION}")
    assert made.returncode == 0, made.stderr
    (wheel,), (sdist,) = (project / "dist").glob("*.whl"), (project / "dist").glob("*.tar.gz")
    assert f"-{VERSION}-" in wheel.name
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "postpress_source/__init__.py"} <= names
    notes = (project / "build" / "notes.md").read_text()
    assert notes.startswith("### Added")
    assert "## [" not in notes


def test_the_bill_of_materials_is_the_lock(project: Path) -> None:
    assert release(project).returncode == 0
    bill: dict[str, Any] = json.loads((project / "build" / "sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "postpress-source"
    assert bill["metadata"]["component"]["version"] == VERSION
    listed = {f"{one['name']}=={one['version']}" for one in bill["components"]}
    options = ["--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--no-annotate"]
    exported = run(UV, "export", *options, "--no-header", "--no-dev", "--all-extras")
    assert listed == {line.partition(" ")[0] for line in exported.splitlines()}
    hashed = [one for one in bill["components"] if "sha-256" in json.dumps(one).lower()]
    assert len(hashed) == len(listed)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_to_which_version(path: Path) -> None:
    used = re.findall(r"uses: (?!\./)(\S+)(.*)", path.read_text())
    assert used
    for action, remark in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", remark), action


def test_ci_runs_what_is_run_here_on_each_python_that_is_named() -> None:
    (job,) = [
        job
        for job in yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
        if any(step.get("run") == ".ci/run" for step in job["steps"])
    ]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == named
    bound = re.search(r"bounded (\d+) \.ci/run", (ROOT / ".ci" / "run").read_text())
    assert bound
    assert job["timeout-minutes"] * 60 > int(bound[1])


def test_nothing_is_published_before_ci_and_only_the_publishing_job_may() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {}
    assert jobs["pypi"]["needs"] == ["ci", "build"]
    assert jobs["github"]["needs"] == ["pypi"]
    assert [name for name in jobs if "id-token" in jobs[name]["permissions"]] == ["pypi"]
    publish = jobs["pypi"]["steps"][-1]
    assert publish["with"] == {"attestations": True}
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()
    guide = (ROOT / "docs" / "releasing.md").read_text()
    assert f"environment `{jobs['pypi']['environment']['name']}`" in guide
    assert f"project `{PROJECT['name']}`" in guide


def test_the_workflows_pass_their_linter() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    run(zizmor, "--quiet", "--offline", "--no-progress", ".github")

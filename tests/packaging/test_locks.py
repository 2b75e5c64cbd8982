"""The locks: where they come from, whom they serve, and the bounds that the README names."""

import re
import tomllib
from typing import Any
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from postpress_source.tested import NEWEST_DLT
from tests.packaging.conftest import PROJECT, ROOT, UV, run

LOCKED: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
VERSIONS = {package["name"]: package["version"] for package in LOCKED}


def test_lock_comes_from_the_public_registry_alone() -> None:
    sources = {repr(package["source"]) for package in LOCKED}
    assert sources == {"{'registry': 'https://pypi.org/simple'}", "{'editable': '.'}"}
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert not any(word in lock.read_text() for word in ("-index-url", "--find-links", "file:"))


@pytest.mark.parametrize(
    ("lock", "selection"),
    [
        ("dev", ["--all-extras"]),
        ("demo", ["--no-dev", "--group", "backend", "--extra", "sandbox"]),
    ],
)
def test_exported_locks_match_uv_lock(lock: str, selection: list[str]) -> None:
    options = ["--no-emit-project", "--no-annotate", "--no-header", "--quiet", "--frozen"]
    exported = run(UV, "export", *options, *selection)
    committed = (ROOT / "requirements" / f"{lock}.lock").read_text()
    assert exported == committed, "run `make lock`"


def needed_on(environment: dict[str, str]) -> set[str]:
    """What the package and all its extras bring in that environment, as `name==version`."""
    options = ["--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--no-annotate"]
    exported = run(UV, "export", *options, "--no-header", "--no-dev", "--all-extras")
    wanted = [Requirement(line) for line in exported.splitlines()]
    of_here = [one for one in wanted if not one.marker or one.marker.evaluate(environment)]
    return {f"{one.name}{one.specifier}" for one in of_here}


def fits(tag: Tag, abi: str, platform: str) -> bool:
    """Whether a wheel of that tag can be installed; of stable ABIs, any is taken for old enough."""
    of_python = tag.interpreter == abi or tag.abi == "abi3" or tag.interpreter.startswith("py3")
    return of_python and (tag.platform == "any" or bool(re.fullmatch(platform, tag.platform)))


@pytest.mark.parametrize(
    ("environment", "platform"),
    [
        ({"sys_platform": "linux", "platform_machine": "x86_64"}, r"manylinux.*_x86_64"),
        ({"sys_platform": "linux", "platform_machine": "aarch64"}, r"manylinux.*_aarch64"),
        ({"sys_platform": "darwin", "platform_machine": "arm64"}, r"macosx_.*_(arm64|universal2)"),
        ({"sys_platform": "win32", "platform_machine": "AMD64"}, r"win_amd64"),
    ],
    ids=["linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64"],
)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_whatever_is_needed_has_a_wheel(
    python: str, environment: dict[str, str], platform: str
) -> None:
    environment = environment | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "os_name": "nt" if environment["sys_platform"] == "win32" else "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    abi = "cp" + python.replace(".", "")
    needed = needed_on(environment)
    missing = set(needed)
    for package in LOCKED:
        name = f"{package['name']}=={package['version']}"
        files = [unquote(wheel["url"].rpartition("/")[2]) for wheel in package.get("wheels", [])]
        tags = {tag for file in files for tag in parse_wheel_filename(file)[3]}
        if any(fits(tag, abi, platform) for tag in tags):
            missing.discard(name)
    assert len(needed) > 50
    assert missing == set()


def works_with() -> dict[str, tuple[str, str]]:
    """The README's table: the lowest and the newest tested version of each dependency."""
    table = (ROOT / "README.md").read_text().split("<!-- works with -->\n")[1]
    rows = [line.split("|")[1:4] for line in table.split("\n<!--")[0].splitlines()[2:]]
    return {name.strip(): (lowest.strip(), newest.strip()) for name, lowest, newest in rows}


def test_the_works_with_table_is_that_of_the_metadata() -> None:
    declared = [Requirement(line) for line in PROJECT["dependencies"]]
    bounds = {requirement.name: requirement.specifier for requirement in declared}
    bounds["Python"] = SpecifierSet(PROJECT["requires-python"])
    stated = works_with()
    assert stated.keys() == bounds.keys()
    for name, (lowest, newest) in stated.items():
        assert f">={lowest}" in str(bounds[name]), name
        assert bounds[name].contains(newest), name
        if name != "Python":
            assert Version(newest) >= Version(VERSIONS[name]), f"{name}: the lock tests a newer one"


def test_the_dlt_that_is_warned_of_is_newer_than_the_locks() -> None:
    assert Version(VERSIONS["dlt"]).release[:2] == NEWEST_DLT
    assert works_with()["dlt"][1].startswith("{}.{}".format(*NEWEST_DLT))


def test_extras_name_the_bounds_of_dlt_once() -> None:
    extras = PROJECT["optional-dependencies"].values()
    named = [Requirement(line) for lines in extras for line in lines]
    assert all(not one.specifier for one in named if one.name == "dlt")

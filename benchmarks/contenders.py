"""Who runs, each in an environment of its own, and in which shape its rows land."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
ENVIRONMENTS = ROOT / ".venv-bench"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
DUCKDB = "duckdb==1.5.5"  # the same for everybody who loads into it

PACKAGES = {
    "ours": ("--requirement", "requirements/demo.lock"),
    "dlt": ("dlt[duckdb,parquet]==1.31.0", "sqlglot<30.22", DUCKDB),
    "pandas": ("pandas==3.1.1", "pyarrow==26.0.1", "requests==2.34.2", DUCKDB),
    "singer": ("singer-sdk==0.54.9", "target-duckdb==0.8.0", DUCKDB),
    "airbyte": ("airbyte-cdk==7.39.1",),
}
SHOWN = ("dlt", "duckdb", "pyarrow", "pandas", "singer-sdk", "target-duckdb", "airbyte-cdk")


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to load all chats.

    Attributes:
        name: For folders and results.
        label: For people.
        environment: Which of `PACKAGES` it runs in.
        script: In `peers/`; takes the base URL, the key and a folder.
        arguments: What the script takes besides.
        shape: How what it leaves is read, a key of `landed.SHAPES`.
        rounds: How often it runs.
    """

    name: str
    label: str
    environment: str
    script: str
    shape: str
    arguments: tuple[str, ...] = ()
    rounds: int = ROUNDS

    def command(self, url: str, key: str, folder: Path) -> list[str]:
        """What to run."""
        script = str(HERE / "peers" / self.script)
        return [python(self.environment), script, url, key, str(folder), *self.arguments]


FLOOR = Contender("floor", "hand-written floor", "ours", "floor.py", "floor", rounds=2 * ROUNDS + 1)
OURS = Contender("ours", "postpress_source", "ours", "ours.py", "ours", rounds=2 * ROUNDS + 1)
PEERS = (
    FLOOR,
    OURS,
    Contender("pandas", "requests and pandas script", "pandas", "pandas_script.py", "pandas"),
    Contender(
        "rest_api_parquet",
        "dlt rest_api, Parquet files",
        "dlt",
        "rest_api.py",
        "rest_api",
        ("parquet",),
    ),
    Contender("singer", "Singer tap, target-duckdb", "singer", "singer.py", "singer"),
    Contender("airbyte", "Airbyte CDK, to a file", "airbyte", "airbyte.py", "airbyte"),
    Contender("rest_api", "dlt rest_api, defaults", "dlt", "rest_api.py", "rest_api"),
)


def python(environment: str) -> str:
    """The interpreter of an environment."""
    return str(ENVIRONMENTS / environment / "bin" / "python")


def make_environments(names: Sequence[str]) -> None:
    """Make the environments that are missing, compiled; install this project's state anew."""
    for name in names:
        if not Path(python(name)).exists():
            _uv("venv", "--python", sys.executable, str(ENVIRONMENTS / name))
            _install(name, *PACKAGES[name])
    _install("ours", "--no-deps", "--reinstall-package", "postpress-source", str(ROOT))


def versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of what matters, as installed."""
    found: dict[str, str] = {}
    for name in names:
        listed = _uv("pip", "freeze", "--python", python(name)).splitlines()
        pairs = (line.split("==") for line in listed if "==" in line)
        for package, version in pairs:
            if package in SHOWN:
                found.setdefault(package, version)  # pandas in Airbyte's environment is its own
    return found


def _install(name: str, *what: str) -> None:
    _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", python(name), *what)


def _uv(*arguments: str) -> str:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    done = subprocess.run(  # noqa: S603 - uv, and what stands above
        [uv, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout

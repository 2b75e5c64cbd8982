"""Tests of the dbt project and of the Dagster example.

`make test-dbt` runs them in the environment that has both; elsewhere those that need one of them
aren't collected.
"""

from __future__ import annotations

from importlib.util import find_spec

# the tests of this folder that need neither are the package's own
needs = {"test_build_*.py": "dbt.adapters", "test_dagster.py": "dagster_dlt"}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore_glob = [file for file, module in needs.items() if not _is_there(module)]

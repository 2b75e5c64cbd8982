"""The targets of make, and CI's scripts."""

import os

from tests.packaging.conftest import ROOT, run


def test_every_make_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = makefile.split(".PHONY:")[1].split("\n\n")[0].replace("\\", "").split()
    shown = run("make", "--no-print-directory", "help")
    assert [line.split()[1] for line in shown.splitlines()] == phony


def test_ci_scripts_can_be_run() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.read_text().startswith("#!")]
    assert scripts
    assert all(os.access(script, os.X_OK) for script in scripts)

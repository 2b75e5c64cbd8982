"""`postpress` on the command line. dlt and the sandbox are imported by the commands that need them.

`app` has the options, `screen` and `progress` what a person sees, `failures` the exit codes,
`warehouse` the pipeline and what it has loaded; each command has a module of its own.
"""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit code."""
    from postpress_source.cli.app import run_app

    run_app()

"""A run that shows all it can: everything at DEBUG, every traceback with its locals.

Run by test_key.py in a process of its own: leave_traces.py FOLDER BASE_URL...
"""

from __future__ import annotations

import http.client
import logging
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import dlt
import rich.traceback

from postpress_source import postpress_source

FOLDER, BASE_URLS = Path(sys.argv[1]), sys.argv[2:]


def show(error: BaseException) -> None:
    """Everything that somebody could print, send or store of an error."""
    # what rich shows, without the slow colours
    shown = rich.traceback.Traceback.extract(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=1_000
    )
    for stack in shown.stacks:
        print(stack.exc_type, stack.exc_value)
        for frame in stack.frames:
            for name, value in (frame.locals or {}).items():
                print(frame.name, name, value)
    print(*traceback.TracebackException.from_exception(error, capture_locals=True).format())
    seen: list[BaseException] = []
    pending: list[Any] = [error]
    while pending:
        each = pending.pop()
        if not isinstance(each, BaseException) or each in seen:
            continue
        seen.append(each)
        pending += [each.__cause__, each.__context__, *vars(each).values(), *each.args]
        print(repr(each), str(each), vars(each), each.args)
        try:
            print(pickle.dumps(each))
        except Exception as unpicklable:  # noqa: BLE001  # dlt's own need not be
            print("not to be pickled:", type(unpicklable))


def run(number: int, base_url: str) -> None:
    """Two runs of a pipeline of its own, and all that is known of them."""
    pipeline = dlt.pipeline(
        f"traces_{number}",
        pipelines_dir=str(FOLDER / "pipelines"),
        destination=dlt.destinations.duckdb(str(FOLDER / "warehouse.duckdb")),
        dataset_name=f"inbox_{number}",
        export_schema_path=str(FOLDER / "schemas"),
        progress="log",
    )
    try:
        for _ in range(2):
            source = postpress_source(base_url=base_url)
            print(repr(source), str(source), source.resources["chats"], vars(source))
            print(pipeline.run(source))
    except BaseException as error:  # noqa: BLE001  # KeyboardInterrupt too
        print(f"ENDED {number} WITH {type(error.__context__ or error).__name__}")
        show(error)
    else:
        print(f"ENDED {number} WELL")
    trace = pipeline.last_trace
    print(trace)
    if trace and pipeline.schema_names:
        print(trace.asstr(verbosity=2))
        print(pipeline.state)
        print(pipeline.default_schema.to_pretty_yaml())


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    http.client.HTTPConnection.debuglevel = 1
    http.client.HTTPSConnection.debuglevel = 1
    for place, url in enumerate(BASE_URLS):
        run(place, url)

"""`postpress run`: read what is new, load it, and say what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common.utils import RowCounts
from dlt.extract import DltSource

from postpress_source.cli import warehouse
from postpress_source.cli.causes import LOCKED, failure_of
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.overview import overview_of
from postpress_source.cli.progress import Progress, Watching
from postpress_source.cli.report import default_path, write_page
from postpress_source.cli.screen import Screen, in_shell, instant, span
from postpress_source.cli.sla import read_sla
from postpress_source.cli.walks import SWEEP, show_empty, show_skipped, show_walks, walks_of_loads
from postpress_source.source import postpress_source
from postpress_source.views.names import account_names

TABLES = ("chats", "chats__folder", "chats__disabled_features")


def run(choice: Choice, screen: Screen) -> ExitCode:
    """Load what is new. MEND if an account had to be skipped; all others are loaded."""
    progress = Progress(screen)
    pipeline = warehouse.open_pipeline(choice, progress)
    started = time.monotonic()
    where = f"{pipeline.destination.destination_name}, dataset {pipeline.dataset_name}"
    screen.note(f"postpress run: to {where}")
    with Watching(progress, screen), _source_of(choice, pipeline) as (source, options):
        loads = _load(choice, pipeline, source, options)
    summary = _summary(pipeline, loads, time.monotonic() - started)
    page = _page(choice, pipeline, screen) if choice.sandbox else None
    screen.document(summary | ({"report": str(page)} if page else {}))
    _show(summary, choice, screen)
    if page:
        screen.link("The inbox as a page: ", page)
    return ExitCode(summary["exit_code"])


def _page(choice: Choice, pipeline: dlt.Pipeline, screen: Screen) -> Path | None:
    """The sandbox's inbox as a page; None where it can't be written, which is said."""
    path = default_path(choice)
    try:
        sla = read_sla(None, None, None)
        overview = overview_of(pipeline, sla, account_names(), datetime.now(UTC))
        write_page(overview, sla, path)
    except (OSError, CommandError) as error:
        screen.note(f"! The page {path} wasn't written: {error}", "yellow")
        return None
    return path


@contextmanager
def _source_of(
    choice: Choice, pipeline: dlt.Pipeline
) -> Iterator[tuple[DltSource, dict[str, Any]]]:
    """The source, and what its run is given besides; a sandbox that it reads ends with it."""
    if not choice.sandbox:
        yield _begun(postpress_source(**choice.arguments()), choice), {}
        return
    from postpress_source.cli.sandbox import serve_lasting_world

    with serve_lasting_world(pipeline) as (sandbox, options):
        source = postpress_source(sandbox.key, sandbox.url, **choice.arguments())
        yield _begun(source, choice), options


def _begun(source: DltSource, choice: Choice) -> DltSource:
    """The source, from the start date on if there is one."""
    if choice.since is not None:
        start = dlt.sources.incremental[datetime]("timestamp", initial_value=choice.since)
        source.resources["chats"].apply_hints(incremental=start)
    return source


def _load(
    choice: Choice, pipeline: dlt.Pipeline, source: DltSource, options: dict[str, Any]
) -> dict[str, RowCounts]:
    """Load what an interrupted run left behind, then what is new.

    Returns:
        Load id -> rows of each table.
    """
    if choice.destination == "filesystem":
        options = {"loader_file_format": "parquet", **options}
    counted = _normalized(pipeline)  # by the interrupted run, as far as it came
    load_ids: list[str] = []
    try:
        if pipeline.has_pending_data and (left_behind := pipeline.run()):
            load_ids += left_behind.loads_ids
            counted |= _normalized(pipeline)
        load_ids += pipeline.run(source, **options).loads_ids
    except BaseException as error:
        failure = failure_of(error)
        if failure and failure.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise CommandError(_interrupted(failure, pipeline)) from error
        if failure and failure.kind != LOCKED and _is_kept(pipeline):
            raise CommandError(_not_taken(failure, pipeline)) from error
        raise
    counted |= _normalized(pipeline)
    return {load_id: counted.get(load_id, {}) for load_id in load_ids}


def _normalized(pipeline: dlt.Pipeline) -> dict[str, RowCounts]:
    """Rows of each table, by load id, in what the pipeline's last run prepared."""
    trace = pipeline.last_trace
    info = trace.last_normalize_info if trace else None
    if info is None:
        return {}
    return {
        load_id: {
            table: counted.items_count
            for each in of_load
            for table, counted in each["table_metrics"].items()
        }
        for load_id, of_load in info.metrics.items()
    }


def _is_kept(pipeline: dlt.Pipeline) -> bool:
    """Whether what was read waits for the next run."""
    # before the first load is through, dlt starts anew from the destination, which has nothing
    return pipeline.has_pending_data and not pipeline.first_run


def _not_taken(failure: Failure, pipeline: dlt.Pipeline) -> Failure:
    of_pipeline = _of_pipeline(pipeline.pipelines_dir, pipeline.pipeline_name)
    free = f"dlt --yes {of_pipeline} abort-packages"
    return replace(
        failure,
        next_step=f"{failure.next_step}\nUntil that is loaded, no run reads anything new. If it "
        f"never will be, give it up; the next run reads it again:\n  {free}",
    )


def _interrupted(failure: Failure, pipeline: dlt.Pipeline) -> Failure:
    if _is_kept(pipeline):
        happened = "What was read is kept; the next run loads it first."
    else:
        happened = "Nothing was loaded or lost; the next run reads it again."
    return Failure(failure.kind, f"{failure.summary} {happened}", failure.exit_code)


def _summary(pipeline: dlt.Pipeline, loads: dict[str, RowCounts], seconds: float) -> dict[str, Any]:
    walks = walks_of_loads(pipeline, loads)
    skipped = any(not walk["complete"] and walk["kind"] != SWEEP for walk in walks)
    watermarks = [walk["watermark_after"] for walk in walks if walk["watermark_after"]]
    totals = ("chats_read", "pages", "requests", "retries", "waited_seconds")
    return {
        "ok": not skipped,
        "exit_code": int(ExitCode.MEND if skipped else ExitCode.OK),
        "pipeline": pipeline.pipeline_name,
        "pipelines_dir": pipeline.pipelines_dir,
        "destination": pipeline.destination.destination_name,
        "dataset": pipeline.dataset_name,
        "location": warehouse.location(pipeline),
        "loads": list(loads),
        "rows": {table: sum(rows.get(table, 0) for rows in loads.values()) for table in TABLES},
        **{name: sum(walk[name] or 0 for walk in walks) for name in totals},
        "seconds": round(seconds, 1),
        "watermark": min(watermarks, default=None),
        "walks": walks,
    }


def _show(summary: dict[str, Any], choice: Choice, screen: Screen) -> None:
    rows = summary["rows"]
    screen.say(f"Loaded in {span(summary['seconds'])}.", style="bold green")
    waited = summary["waited_seconds"]
    screen.pairs(
        [
            ("chats", f"{summary['chats_read']:,} read, " + (
                f"{rows['chats']:,} loaded" if rows["chats"] else "none changed")),
            ("arrays", f"{rows['chats__folder']:,} folders, "
             f"{rows['chats__disabled_features']:,} disabled features"),
            ("requests", f"{summary['requests']:,} for {summary['pages']:,} pages, "
             f"{summary['retries']:,} retries" + (f", waited {span(waited)}" if waited else "")),
            ("watermark", instant(summary["watermark"])),
            ("tables in", f"{summary['location']}, dataset {summary['dataset']}"),
        ]
    )  # fmt: skip
    screen.say("")
    show_walks(screen, (walk for walk in summary["walks"] if walk["complete"]))
    show_empty(screen, summary["walks"])
    skipped = (walk for walk in summary["walks"] if not walk["complete"])
    show_skipped(screen, (walk for walk in skipped if walk["kind"] != SWEEP))
    screen.say("", "Look next:", style="bold")
    screen.commands(*_look_next(summary, choice))


def _look_next(summary: dict[str, Any], choice: Choice) -> list[str]:
    pipeline = f"dlt {_of_pipeline(summary['pipelines_dir'], summary['pipeline'])}"
    return [
        f"postpress status{choice.options()}",
        f"{pipeline} info",
        f"{pipeline} trace",
    ]


def _of_pipeline(folder: str, name: str) -> str:
    """What a command of dlt's needs to find a pipeline."""
    return f"pipeline --pipelines-dir {in_shell(folder)} {name}"

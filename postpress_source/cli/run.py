"""`postpress run`: read what is new, load it, and say what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dlt
from dlt.common.pipeline import LoadInfo
from dlt.extract import DltSource

from postpress_source.cli import warehouse
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure, failure_of
from postpress_source.cli.progress import Progress, Watching
from postpress_source.cli.screen import Screen, in_shell, instant, span
from postpress_source.cli.walks import show_skipped, show_walks, walks_of_loads
from postpress_source.source import postpress_source

TABLES = ("chats", "chats__folder", "chats__disabled_features")


def run(choice: Choice, screen: Screen) -> ExitCode:
    """Load what is new. MEND if an account had to be skipped; all others are loaded."""
    progress = Progress(screen)
    pipeline = warehouse.open_pipeline(choice, progress)
    started = time.monotonic()
    where = f"{pipeline.destination.destination_name}, dataset {pipeline.dataset_name}"
    screen.note(f"postpress run: to {where}")
    with Watching(progress, screen), _source_of(choice, pipeline) as (source, options):
        infos = _load(choice, pipeline, source, options)
    summary = _summary(pipeline, infos, time.monotonic() - started)
    screen.document(summary)
    _show(summary, choice, screen)
    return ExitCode(summary["exit_code"])


@contextmanager
def _source_of(
    choice: Choice, pipeline: dlt.Pipeline
) -> Iterator[tuple[DltSource, dict[str, Any]]]:
    """The source, and what its run is given besides; a sandbox that it reads ends with it."""
    if not choice.sandbox:
        yield postpress_source(**choice.arguments()), {}
        return
    from postpress_source.cli.sandbox import serve_lasting_world

    with serve_lasting_world(pipeline) as (sandbox, options):
        yield postpress_source(sandbox.key, sandbox.url, **choice.arguments()), options


def _load(
    choice: Choice, pipeline: dlt.Pipeline, source: DltSource, options: dict[str, Any]
) -> list[LoadInfo]:
    """What an interrupted run left behind is loaded first, then what is new."""
    if choice.destination == "filesystem":
        options = {"loader_file_format": "parquet", **options}
    try:
        left_behind = pipeline.run() if pipeline.has_pending_data else None
        infos = [left_behind, pipeline.run(source, **options)]
    except BaseException as error:
        failure = failure_of(error)
        if failure and failure.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise CommandError(_interrupted(failure, pipeline)) from error
        raise
    return [info for info in infos if info is not None]


def _interrupted(failure: Failure, pipeline: dlt.Pipeline) -> Failure:
    if pipeline.has_pending_data:
        happened = "What was read is kept; the next run loads it first."
    else:
        happened = "Nothing was loaded or lost; the next run reads it again."
    return Failure(failure.kind, f"{failure.summary} {happened}", failure.exit_code)


def _summary(pipeline: dlt.Pipeline, infos: list[LoadInfo], seconds: float) -> dict[str, Any]:
    load_ids = [load_id for info in infos for load_id in info.loads_ids]
    walks = walks_of_loads(pipeline, load_ids)
    skipped = any(not walk["complete"] for walk in walks)
    normalized = pipeline.last_trace.last_normalize_info if pipeline.last_trace else None
    rows = normalized.row_counts if normalized else {}
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
        "loads": load_ids,
        "rows": {table: rows.get(table, 0) for table in TABLES},
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
    show_skipped(screen, (walk for walk in summary["walks"] if not walk["complete"]))
    screen.say("", "Look next:", style="bold")
    screen.commands(*_look_next(summary, choice))


def _look_next(summary: dict[str, Any], choice: Choice) -> list[str]:
    folder = in_shell(summary["pipelines_dir"])
    pipeline = f"dlt pipeline --pipelines-dir {folder} {summary['pipeline']}"
    return [
        f"postpress status{choice.options()}",
        f"{pipeline} info",
        f"{pipeline} trace",
    ]

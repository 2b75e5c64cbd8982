"""What a shard's load did, told to Airflow, to a person, and to the table `shard_runs`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dlt import Pipeline

SHARD_RUNS: Final[dict[str, Any]] = {
    "run": {"data_type": "text", "nullable": False, "description": "The DAG and its run."},
    "shard": {"data_type": "text", "nullable": False, "description": "The shard's name."},
    "loaded": {"data_type": "bool", "description": "Whether the shard was loaded."},
    "walks": {"data_type": "bigint", "description": "Walks, an account each, or one of all."},
    "kinds": {"data_type": "text", "description": "How many walks of which kind."},
    "chats_read": {"data_type": "bigint", "description": "Chats on the pages read."},
    "pages": {"data_type": "bigint", "description": "Pages read."},
    "requests": {"data_type": "bigint", "description": "Requests, every attempt counted."},
    "retries": {"data_type": "bigint", "description": "Attempts that followed a failed one."},
    "waited_seconds": {"data_type": "double", "description": "Waits for retries and limits."},
    "watermark": {"data_type": "timestamp", "description": "How far all accounts are known."},
    "skipped": {"data_type": "text", "description": "JSON list of accounts that were skipped."},
}

_WALKS: Final = (
    "account_id", "kind", "chats_read", "pages", "requests", "retries", "waited_seconds",
    "watermark_after", "complete", "error_type", "next_step",
)  # fmt: skip


def summarize(pipeline: Pipeline, load_ids: Iterable[str]) -> dict[str, Any]:
    """What the ledger says of these loads, in one, in values that JSON knows."""
    wanted = ", ".join(f"'{load_id}'" for load_id in load_ids)
    ledger = f"SELECT {', '.join(_WALKS)} FROM chat_walks WHERE _dlt_load_id IN ({wanted})"  # noqa: S608
    with pipeline.sql_client() as client:
        rows = client.execute_sql(ledger) or ()
    walks = [dict(zip(_WALKS, row, strict=True)) for row in rows]
    # nothing rests on a sweep
    watermarks = [walk["watermark_after"] for walk in walks if walk["kind"] != "sweep"]
    known = bool(watermarks) and None not in watermarks
    kinds = Counter(walk["kind"] for walk in walks)
    return {
        "walks": len(walks),
        "kinds": ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
        **{name: sum(walk[name] for walk in walks) for name in _WALKS[2:7]},
        "watermark": min(watermarks).isoformat() if known else None,
        "skipped": [
            {name: walk[name] for name in ("account_id", "error_type", "next_step")}
            for walk in walks
            if not walk["complete"] and walk["kind"] != "sweep"
        ],
    }


def describe(summary: Mapping[str, Any]) -> str:
    """A shard's summary for a person, a few lines."""
    lines = [
        "Shard {shard}: {walks} walks ({kinds}), {chats_read} chats on {pages} pages, "
        "{requests} requests, {retries} of them retries, {waited_seconds:.1f} s waited. "
        "Known up to {watermark}.".format_map(summary)
    ]
    lines += [
        "  Skipped: account {account_id}, {error_type}. Next: {next_step}".format_map(skipped)
        for skipped in summary["skipped"]
    ]
    return "\n".join(lines)


def missing_shards(
    planned: Iterable[Mapping[str, Any]], summaries: Iterable[Mapping[str, Any]]
) -> list[str]:
    """The names of planned shards that brought no summary: they failed, or never ran."""
    done = {summary["shard"] for summary in summaries}
    return [shard["name"] for shard in planned if shard["name"] not in done]


def rows_of_run(
    run: str, planned: Iterable[Mapping[str, Any]], summaries: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row of `SHARD_RUNS` for each planned shard."""
    done = {summary["shard"]: summary for summary in summaries}
    return [{**_row(shard, done.get(shard["name"])), "run": run} for shard in planned]


def _row(shard: Mapping[str, Any], summary: Mapping[str, Any] | None) -> dict[str, Any]:
    if summary is None:
        return {"shard": shard["name"], "loaded": False}
    return {**summary, "loaded": True, "skipped": json.dumps(summary["skipped"])}

"""Load a PostPress inbox into a DuckDB file: all of it first, then what changed, run after run.

python pipelines/chats_to_duckdb.py --sandbox      # a local PostPress, no key needed
python pipelines/chats_to_duckdb.py                # yours; the key comes from .dlt/secrets.toml
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt

from postpress_source import postpress_source


def main() -> None:
    """Load once, and say what landed."""
    options = parse_options()
    with connect(options) as connection:
        pipeline = dlt.pipeline(
            "postpress_sandbox" if options.sandbox else "postpress",
            # absolute, since dlt remembers the folder that a pipeline first ran in
            destination=dlt.destinations.duckdb(str(Path(options.file).absolute())),
            dataset_name="postpress",
        )
        source = postpress_source(
            account_id=options.account,
            full_walk_every=timedelta(0) if options.full else timedelta(days=1),
            **connection,
        )
        if pipeline.has_pending_data:
            pipeline.run()  # what a run that was cut off has left comes first
        # each sandbox is another world, so what an earlier one left behind is dropped
        anew: dict[str, Any] = {"refresh": "drop_sources"} if options.sandbox else {}
        pipeline.run(source, **anew)
    report(pipeline)
    print(f"\nThe file: {options.file}, schema postpress. Look around:")
    look = f"import duckdb; duckdb.connect('{options.file}').sql('FROM postpress.chats').show()"
    print(f'  {os.path.relpath(sys.executable)} -c "{look}"')


def report(pipeline: dlt.Pipeline) -> None:
    """Print the run's walks, and what the tables hold now."""
    walks = pipeline.dataset().query(
        "SELECT coalesce(account_id, 'all visible'), kind, chats_read, requests, complete"
        " FROM chat_walks WHERE _dlt_load_id = (SELECT max(_dlt_load_id) FROM chat_walks)"
    )
    for account, kind, chats, requests, complete in walks.fetchall():
        done = "complete" if complete else "SKIPPED, see chat_walks.next_step"
        print(f"{account}: {kind} walk, {chats:,} chats read in {requests} requests, {done}")
    unread = pipeline.dataset().query(
        "SELECT account_type, count(*), count(*) FILTER (unread_count <> 0) FROM chats"
        " GROUP BY ALL ORDER BY 2 DESC"
    )
    print(f"\n{'provider':<12}{'chats':>8}{'unread':>8}")
    for provider, chats, waiting in unread.fetchall():
        print(f"{provider:<12}{chats:>8,}{waiting:>8,}")


@contextmanager
def connect(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Where to read: your settings, or a local PostPress on a free port, stopped at the end."""
    if not options.sandbox:
        yield {}
        return
    from postpress_source.sandbox import generate_world, serve

    morning = datetime(2026, 5, 17, 9, tzinfo=UTC)  # the same inbox whenever it is looked at
    with serve(generate_world(chats=2_000, accounts=4, seed=7, now=morning)) as server:
        yield {"base_url": server.url, "api_key": "pp_live_sandbox"}


def parse_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sandbox", action="store_true", help="read a local PostPress")
    parser.add_argument("--account", help="account ids, comma-separated; default: all visible")
    parser.add_argument("--full", action="store_true", help="read to the end, due or not")
    parser.add_argument("--file", default="inbox.duckdb", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()

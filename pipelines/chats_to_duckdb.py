"""Load a PostPress inbox into a DuckDB file: all of it first, then what changed, run after run.

python pipelines/chats_to_duckdb.py    # the key comes from .dlt/secrets.toml

Without a key: `make demo`, which loads a made-up inbox into a file of its own.
"""

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path

import dlt

from postpress_source import postpress_source


def main() -> None:
    """Load once, and say what landed."""
    options = parse_options()
    pipeline = dlt.pipeline(
        "postpress",
        # absolute, since dlt remembers the folder that a pipeline first ran in
        destination=dlt.destinations.duckdb(str(Path(options.file).absolute())),
        dataset_name="postpress",
    )
    source = postpress_source(
        account_id=options.account,
        full_walk_every=timedelta(0) if options.full else timedelta(days=1),
    )
    if pipeline.has_pending_data:
        pipeline.run()  # what a run that was cut off has left comes first
    pipeline.run(source)
    report(pipeline, options.file)


def report(pipeline: dlt.Pipeline, file: str) -> None:
    """Print the run's walks, and what the tables hold now."""
    with pipeline.sql_client() as client:
        walks = client.execute_sql(
            "SELECT coalesce(account_id, 'all visible'), kind, chats_read, requests, complete"
            " FROM chat_walks WHERE _dlt_load_id = (SELECT max(_dlt_load_id) FROM chat_walks)"
        )
        unread = client.execute_sql(
            "SELECT account_type, count(*), count(*) FILTER (unread_count <> 0) FROM chats"
            " GROUP BY ALL ORDER BY 2 DESC"
        )
    for account, kind, chats, requests, complete in walks or ():
        done = "complete" if complete else "SKIPPED, see chat_walks.next_step"
        print(f"{account}: {kind} walk, {chats:,} chats read in {requests} requests, {done}")
    print(f"\n{'provider':<12}{'chats':>8}{'unread':>8}")
    for provider, chats, waiting in unread or ():
        print(f"{provider:<12}{chats:>8,}{waiting:>8,}")
    print(f"\nThe file: {file}, schema {pipeline.dataset_name}. Look around:")
    look = f"duckdb.connect('{file}').sql('FROM {pipeline.dataset_name}.chats').show()"
    print(f'  {os.path.relpath(sys.executable)} -c "import duckdb; {look}"')


def parse_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--account", help="account ids, comma-separated; default: all visible")
    parser.add_argument("--full", action="store_true", help="read to the end, due or not")
    parser.add_argument("--file", default="inbox.duckdb", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()

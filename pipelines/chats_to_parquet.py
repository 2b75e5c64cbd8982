"""Load a PostPress inbox into files: Parquet, or a Delta or Iceberg table of them.

    python pipelines/chats_to_parquet.py
    python pipelines/chats_to_parquet.py --folder s3://bucket/inbox --table-format delta

Plain Parquet can't merge. Each run appends files, `chats/<load id>.<file id>.parquet`; a chat that
changed is in several of them, and CURRENT below selects how each chat is now. Delta and Iceberg
hold one row a chat. In all of them the arrays are list columns of `chats`.

Without a key: `postpress run --sandbox --destination filesystem`, into a folder of its own.
"""

import argparse
from datetime import timedelta
from pathlib import Path

import dlt
import duckdb

from postpress_source import postpress_source

# The newest version of each chat, but those that two later loads of their account have not got.
CURRENT = """
WITH chats AS (FROM read_parquet('{folder}/postpress/chats/*.parquet', union_by_name = true)),
walks AS (FROM read_parquet('{folder}/postpress/chat_walks/*.parquet', union_by_name = true)),
whole AS (
    FROM (
        SELECT DISTINCT unnest(string_split(whole_accounts, ',')) AS account_id,
            CAST(_dlt_load_id AS DOUBLE) AS load_id
        FROM walks
    )
    QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY load_id DESC) = 2
),
latest AS (
    FROM chats
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY CAST(_dlt_load_id AS DOUBLE) DESC) = 1
)
SELECT latest.* FROM latest LEFT JOIN whole ON whole.account_id = latest.account_id
WHERE whole.load_id IS NULL OR CAST(latest._dlt_load_id AS DOUBLE) >= whole.load_id
"""


def main() -> None:
    """Load once, and say what landed."""
    options = parse_options()
    # absolute, since dlt remembers the folder that a pipeline first ran in
    folder = options.folder if "://" in options.folder else str(Path(options.folder).absolute())
    pipeline = dlt.pipeline(
        "postpress_files",
        destination=dlt.destinations.filesystem(
            folder, layout="{table_name}/{load_id}.{file_id}.{ext}"
        ),
        dataset_name="postpress",
    )
    source = postpress_source(
        account_id=options.account,
        full_walk_every=timedelta(0) if options.full else timedelta(days=1),
    )
    if pipeline.has_pending_data:
        pipeline.run()  # what a run that was cut off has left comes first
    pipeline.run(source, loader_file_format="parquet", table_format=options.table_format)
    if options.table_format is None and "://" not in options.folder:
        report(options.folder)


def report(folder: str) -> None:
    """Print how the inbox is now, read from the files with nothing but DuckDB."""
    with duckdb.connect() as connection:
        current = connection.sql(CURRENT.format(folder=folder.replace("'", "''")))
        counts = current.aggregate("count(*), count(*) FILTER (unread_count <> 0)").fetchone()
    if counts:
        print(f"{counts[0]:,} chats, {counts[1]:,} of them unread, in {folder}/postpress/chats/")
    print("\nRead it with pandas:")
    print(f"  pandas.read_parquet('{folder}/postpress/chats')")
    print("With DuckDB, one row a chat as it is now: CURRENT in this script, docs/destinations.md.")


def parse_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--account", help="account ids, comma-separated; default: all visible")
    parser.add_argument("--full", action="store_true", help="read to the end, due or not")
    parser.add_argument("--folder", default="postpress_files", help="default: %(default)s")
    parser.add_argument("--table-format", choices=["delta", "iceberg"], help="default: plain")
    return parser.parse_args()


if __name__ == "__main__":
    main()

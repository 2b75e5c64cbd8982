"""Keep a warehouse equal to a PostPress inbox: the chats that are new, and now and then them all.

The first run reads everything. Run it as often as you like; the next one reads what has changed.
"""

import dlt
from postpress import postpress_source


def load() -> None:
    """Read what is new and load it."""
    pipeline = dlt.pipeline(
        pipeline_name="postpress", destination="duckdb", dataset_name="postpress_data"
    )
    print(pipeline.run(postpress_source()))


if __name__ == "__main__":
    load()

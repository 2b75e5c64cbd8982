"""dlt's own REST source, as its documentation teaches it: a merge on the key, nested tables.

    python rest_api.py BASE_URL API_KEY FOLDER [insert_values|parquet]

`insert_values` is what dlt takes for DuckDB by itself; Parquet load files are the known tuning.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import dlt
import duckdb  # noqa: F401 - what dlt imports when it runs: imports are timed apart
import pyarrow.parquet  # noqa: F401
from dlt.sources.rest_api import rest_api_source


def main(base_url: str, api_key: str, folder: Path, file_format: Any = "insert_values") -> None:
    """Load all chats; print how long it took."""
    began = time.perf_counter()
    source = rest_api_source(
        {
            "client": {
                "base_url": base_url,
                "auth": {"type": "api_key", "name": "X-API-KEY", "api_key": api_key},
                "paginator": {"type": "cursor", "cursor_path": "cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "chats",
                    "endpoint": {
                        "path": "chats",
                        "params": {"limit": 250},
                        "data_selector": "items",
                    },
                    "primary_key": "id",
                    "write_disposition": "merge",
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "rest_api",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "chats.duckdb")),
        dataset_name="postpress",
    )
    pipeline.run(source, loader_file_format=file_format)
    print(json.dumps({"inside": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])

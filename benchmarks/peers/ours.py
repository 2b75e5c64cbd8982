"""`postpress_source` with its defaults, as the README's first example runs it.

python ours.py BASE_URL API_KEY FOLDER
"""

import json
import resource
import sys
import time
from pathlib import Path

import dlt
import duckdb  # noqa: F401 - what dlt and the source import when they run: imports are timed apart
import pyarrow.parquet  # noqa: F401

import postpress_source.sync
from postpress_source import postpress_source


def main(base_url: str, api_key: str, folder: Path) -> None:
    """Extract, normalize, load; print how long each took, and the peak before the load."""
    began = time.perf_counter()
    pipeline = dlt.pipeline(
        "postpress",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "chats.duckdb")),
        dataset_name="postpress",
    )
    pipeline.sync_destination()
    synced = time.perf_counter()
    pipeline.extract(postpress_source(api_key=api_key, base_url=base_url))
    extracted = time.perf_counter()
    pipeline.normalize()
    normalized = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipeline.load()
    loaded = time.perf_counter()
    measured = {
        "inside": loaded - began,
        "sync": synced - began,
        "extract": extracted - synced,
        "normalize": normalized - extracted,
        "load": loaded - normalized,
        "extract_normalize_peak_kib": peak,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

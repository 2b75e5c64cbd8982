"""Airbyte's Python CDK with a declarative manifest; its messages go to a file, no destination runs.

Airbyte's destinations are containers of their own, so this is the reading half only.

    python airbyte.py BASE_URL API_KEY FOLDER
"""

import json
import subprocess
import sys
import time
from pathlib import Path


def main(base_url: str, api_key: str, folder: Path) -> None:
    """Read all chats into `messages.jsonl`; print how long it took."""
    began = time.perf_counter()
    config, catalog = folder / "config.json", folder / "catalog.json"
    config.write_text(json.dumps({"base_url": base_url, "api_key": api_key}))
    stream = {"name": "chats", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    configured = {
        "stream": stream,
        "sync_mode": "full_refresh",
        "destination_sync_mode": "overwrite",
    }
    catalog.write_text(json.dumps({"streams": [configured]}))
    command: list[str | Path] = [
        Path(sys.executable).with_name("source-declarative-manifest"),
        "read",
        "--config",
        config,
        "--catalog",
        catalog,
        "--manifest-path",
        Path(__file__).with_name("airbyte.yaml"),
    ]
    with (folder / "messages.jsonl").open("wb") as messages:
        subprocess.run(command, stdout=messages, check=True)  # noqa: S603 - all of it ours
    print(json.dumps({"inside": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

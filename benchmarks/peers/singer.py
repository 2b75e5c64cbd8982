"""Runs a Singer tap into a target, as `meltano run` does: two processes and a pipe.

python singer.py BASE_URL API_KEY FOLDER
"""

import json
import subprocess
import sys
import time
from pathlib import Path


def main(base_url: str, api_key: str, folder: Path) -> None:
    """Load all chats; print how long it took."""
    began = time.perf_counter()
    here, programs = Path(__file__).parent, Path(sys.executable).parent
    source, target = folder / "tap.json", folder / "target.json"
    source.write_text(json.dumps({"base_url": base_url, "api_key": api_key}))
    target.write_text(
        json.dumps({"filepath": str(folder / "chats.duckdb"), "default_target_schema": "postpress"})
    )
    with subprocess.Popen(  # noqa: S603 - all of it ours
        [sys.executable, here / "tap.py", "--config", source], stdout=subprocess.PIPE
    ) as tap:
        done = subprocess.run(  # noqa: S603
            [programs / "target-duckdb", "--config", target],
            stdin=tap.stdout,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    if tap.returncode or done.returncode:
        raise SystemExit(f"tap: {tap.returncode}, target: {done.returncode}")
    print(json.dumps({"inside": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

"""A sandbox whose accounts are all of one size, until standard input ends.

python even_accounts.py ACCOUNTS CHATS_EACH LATENCY_MS
"""

import json
import sys
from datetime import timedelta

from postpress_source.sandbox import World, serve


def main(accounts: int, chats_each: int, latency_ms: int) -> None:
    """Print the URL, the key and the accounts as one JSON line, and serve."""
    world = World()
    with world.batch():
        for _ in range(accounts):
            world.connect_account("LINKEDIN", history=chats_each)
    with serve(world, latency=timedelta(milliseconds=latency_ms)) as sandbox:
        order = {"url": sandbox.url, "key": sandbox.key, "accounts": list(world.accounts)}
        print(json.dumps(order), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

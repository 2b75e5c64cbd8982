"""What mustn't matter, doesn't: page size, interleaving, order of accounts, hashes, and time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postpress_source import postpress_source
from tests.proof.crash import FULL, inbox
from tests.proof.inboxes import listed
from tests.proof.listing import LONG, Order, Row
from tests.proof.machine import START
from tests.proof.one_process import URL, one_process
from tests.proof.place import Place
from tests.proof.seeds import TABLES, tell_whole
from tests.proof.warehouse import Warehouse
from tests.proof.whole import KEY, WholePipeline

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("active_pipeline", "quiet")]

DAY = timedelta(days=1)
HEAD: Mapping[str, Any] = {"full_walk_every": LONG}


def tables_after(
    folder: Path, accounts: Sequence[str], seed: int, limit: int
) -> tuple[dict[str, list[Row]], list[str]]:
    """All tables but the ledger's, and the requests, after a first load, a head and a full walk."""
    world = inbox()
    with closing(Place(folder)) as place, one_process(world, seed) as requests:
        for arguments in (HEAD, HEAD, FULL):
            source = postpress_source(
                KEY, URL, account_id=",".join(accounts) or None, limit=limit, **arguments
            )
            WholePipeline(folder, URL).pipeline.run(source)
            world.advance(timedelta(minutes=1), activity=0)
            chats = sorted(world.chat_ids)
            world.receive_message(chats[3])
            world.read(chats[7])
            world.delete_chat(chats[20])
        tables = {
            name: place.ask(f"SELECT * FROM {name} ORDER BY ALL")  # noqa: S608
            for name in TABLES
            if not name.startswith("chat_walk")
        }
    return tables, requests


def test_page_size_interleaving_and_the_order_of_accounts_change_no_table(tmp_path: Path) -> None:
    variants = [
        (("a1", "a2", "a3"), 0, 5),
        (("a1", "a2", "a3"), 1, 5),
        (("a3", "a1", "a2"), 2, 2),
        ((), 0, 250),
    ]
    found = []
    for number, variant in enumerate(variants):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(tables_after(folder, *variant))
    first, *others = (tables for tables, _ in found)
    assert len(first["chats_history"]) > 24
    for other in others:
        assert other == first
    one, another = (requests for _, requests in found[:2])
    assert one != another, "the walks went on in another order"
    assert sorted(one) == sorted(another)


def test_a_seed_gives_the_same_requests_rows_and_ledger_each_time() -> None:
    assert tell_whole(3) == tell_whole(3)
    assert tell_whole(3) != tell_whole(4)


def test_four_hundred_days_leave_no_more_state_than_ten() -> None:
    world = inbox()
    warehouse = Warehouse(world, 5)
    sizes = []
    for day in range(400):
        for hour in range(2):
            world.advance(timedelta(hours=12), activity=0)
            world.receive_message(sorted(world.chat_ids)[(day + hour) % 7])
            warehouse.run(Order(full_walk_every=DAY, sweep=DAY))
        if day % 20 == 10:  # some go, some come
            world.delete_chat(sorted(world.chat_ids)[-1])
            world.new_chat("a1", id=f"b{day:03}", at=world.now - 400 * DAY)
        sizes.append(len(json.dumps(warehouse.state)))
    assert max(sizes) < 1.5 * max(sizes[:10]) + 200
    assert set(warehouse.rows) == listed(world)


def test_time_that_passes_and_is_set_back_leaves_schema_and_state_as_they_are(
    tmp_path: Path,
) -> None:
    world, skew = inbox(), timedelta(0)
    whole, seen = WholePipeline(tmp_path, URL), list[tuple[str, int]]()
    with closing(Place(tmp_path)), one_process(world, skew=lambda: skew):
        for day in range(12):
            skew = timedelta(hours=(0, 0, 30, -50, 0)[day % 5])
            world.advance(5 * DAY if day == 6 else DAY, activity=0)
            world.receive_message(sorted(world.chat_ids)[day % 5])
            whole = WholePipeline(tmp_path, URL)
            whole.load()
            state = json.dumps(whole.pipeline.state["sources"]["postpress"], default=str)
            seen.append((whole.pipeline.default_schema.version_hash, len(state)))
    hashes, sizes = zip(*seen[3:], strict=True)
    assert len(set(hashes)) == 1
    assert max(sizes) - min(sizes) < 60
    assert world.now > START
    assert whole.table().keys() == listed(world)

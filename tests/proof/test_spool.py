"""The spool, compared with a dict; what it costs, and how it ends when the disk is full."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postpress_source import PostpressRequestError
from postpress_source.api.answers import Page
from postpress_source.chats.fields import Chat
from postpress_source.chats.records import read_documented
from postpress_source.sandbox import generate_world
from postpress_source.walks import spool as module
from postpress_source.walks.spool import KEYS, Spool
from tests.proof.machine import examples

ROOT = Path(__file__).parents[2]
IDS = "abcdefgh"
SIZES: Final = {
    "TABLE_BYTES": [1, 2_000, 2**22],
    "_BATCH_CHATS": [1, 3, 8, 1_000],
    "_SORTED_CHATS": [1, 5, 1_000],
    "_BUCKETS": [1, 2, 64],
}
Step = tuple[str, Any, Any]


class Plain:
    """What a spool is to be: sightings in the order in which they were added."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str, int]] = []
        self.dropped: set[int] = set()

    def keys(self, walk: int) -> list[str]:
        return [chat_id for of, chat_id, _ in self.seen if of == walk]

    def lands(self) -> Mapping[str, int]:
        return {chat_id: at for of, chat_id, at in self.seen if of not in self.dropped}


def page_of(chat_ids: Sequence[str], first: int = 0, account: str = "a") -> Page:
    """Each sighting has a number of its own."""
    chats = [Chat(i, account_id=account, unread_count=first + n) for n, i in enumerate(chat_ids)]
    return Page(chats, None)


def tell(spool: Spool, plain: Plain, step: Step) -> None:
    what, of, given = step
    if what == "add":
        pages = []
        for chat_ids in given:
            pages.append(page_of(chat_ids, len(plain.seen), f"of {of}"))
            plain.seen += [(of, c.id, c.unread_count or 0) for c in pages[-1].chats]
        spool.add(of, pages)
    elif what == "drop":
        plain.dropped.add(of)
        spool.drop(of)
    elif what == "find":
        assert spool.find(of, set(given)) == set(given) & set(plain.keys(of))
    else:
        found = spool.keys(of)
        assert found.keys() == of
        for walk, table in found.items():
            assert table.schema == KEYS
            assert sorted(table["id"].to_pylist()) == sorted(plain.keys(walk))
            assert set(table["account_id"].to_pylist()) <= {f"of {walk}"}


def check(steps: Sequence[Step], sizes: Mapping[str, int]) -> None:
    plain = Plain()
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items():
            patch.setattr(module, name, size)
        with closing(Spool()) as spool:
            for step in steps:
                tell(spool, plain, step)
            rows = [row for table in spool.tables() for row in table.to_pylist()]
    lands = {row["id"]: row["unread_count"] for row in rows}
    assert len(lands) == len(rows), "each once"
    assert lands == plain.lands()
    assert [row["unread_count"] for row in rows] == sorted(lands.values()), "in the order added"


walks = st.integers(0, 2)
ids = st.lists(st.sampled_from(IDS), max_size=4)
add = st.tuples(st.just("add"), walks, st.lists(ids, max_size=2))
step = st.one_of(
    *[add] * 4,
    *[st.tuples(st.just("find"), walks, st.sampled_from([IDS, "abc", "az", ""]))] * 2,
    st.tuples(st.just("keys"), st.sets(walks, min_size=1), st.none()),
    st.tuples(st.just("drop"), walks, st.none()),
)


@settings(max_examples=examples(300))
@given(
    steps=st.lists(step, max_size=25),
    sizes=st.fixed_dictionaries({name: st.sampled_from(of) for name, of in SIZES.items()}),
)
def test_what_lands_is_the_last_sighting_of_each_chat(
    steps: Sequence[Step], sizes: Mapping[str, int]
) -> None:
    check(steps, sizes)


def test_the_same_of_long_histories() -> None:
    """Hypothesis likes short and repetitive ones."""
    draw = Random(1)
    for _ in range(300):
        steps: list[Step] = []
        for _ in range(12):
            walk, what = draw.randrange(3), draw.choice(["add", "add", "add", "find", "keys"])
            pages = ["".join(draw.choices(IDS, k=draw.randrange(4))) for _ in range(2)]
            given = {"add": pages, "find": draw.choice([IDS, "az"]), "keys": None}[what]
            steps.append((what, {walk, 0} if what == "keys" else walk, given))
        if draw.random() < 0.5:
            steps.insert(draw.randrange(12), ("drop", draw.randrange(3), None))
        check(steps, {name: draw.choice(of) for name, of in SIZES.items()})


def test_walks_in_several_threads_share_it() -> None:
    def walk(number: int) -> None:
        for at in range(0, 6_000, 60):
            mine = [f"{number}-{at + n}" for n in range(60)]
            spool.add(number, [page_of([*mine, f"all-{at}"])])
            assert spool.find(number, {mine[0], mine[-1], "none"}) == {mine[0], mine[-1]}

    with closing(Spool()) as spool, ThreadPoolExecutor(4) as pool:
        list(pool.map(walk, range(4)))
        assert {w: keys.num_rows for w, keys in spool.keys({0, 3}).items()} == {0: 6_100, 3: 6_100}
        found = [i for table in spool.tables() for i in table["id"].to_pylist()]
    assert len(found) == len(set(found)) == 4 * 6_000 + 100


@pytest.mark.parametrize("chats", [2_000, 2**16 + 5])
def test_many_chats_that_are_listed_twice_land_once(chats: int) -> None:
    with closing(Spool()) as spool:
        for first in (0, chats):
            for at in range(0, chats, 1_000):
                numbers = range(at, min(at + 1_000, chats))
                spool.add(first, [page_of([f"c{n}" for n in numbers], first + at)])
        seen = [n for table in spool.tables() for n in table["unread_count"].to_pylist()]
    assert seen == list(range(chats, 2 * chats))


# --- what it costs -------------------------------------------------------------------------------


def cpu_seconds(accounts: int, each: int, *, times: int = 1) -> tuple[float, int]:
    """CPU that a spool takes for chats that are listed so many times, and its bytes."""
    pages = [
        (walk, [page_of([f"{walk % accounts}-{n}" for n in range(at, min(at + 2_000, each))])])
        for walk in range(accounts * times)
        for at in range(0, each, 2_000)
    ]
    began = time.process_time()
    with closing(Spool()) as spool:
        for walk, added in pages:
            spool.add(walk, added)
        for walk in range(accounts):
            assert spool.keys({walk})[walk].num_rows == each
        assert sum(table.num_rows for table in spool.tables()) == accounts * each
        size = os.fstat(spool._file.fileno()).st_size
    return time.process_time() - began, size


@pytest.mark.slow
def test_repeated_chats_take_time_in_proportion_to_their_number() -> None:
    less, more = ([cpu_seconds(1, n, times=2)[0] for _ in range(3)] for n in (40_000, 400_000))
    assert min(more) < 15 * min(less)


@pytest.mark.slow
def test_many_small_accounts_cost_what_a_large_one_does() -> None:
    many, one = ([cpu_seconds(*of) for _ in range(3)] for of in ((4_000, 10), (1, 40_000)))
    assert min(many)[0] < 2 * min(one)[0]
    assert many[0][1] < 1.1 * one[0][1]


def test_a_chat_takes_as_many_bytes_as_the_page_says() -> None:
    records = msgspec.json.encode(generate_world(chats=5_000).relist())
    chats = read_documented(records) or []
    with closing(Spool()) as spool:
        for at in range(0, len(chats), 2_000):
            spool.add(0, [Page(chats[at : at + 2_000], None)])
        list(spool.tables())
        size = os.fstat(spool._file.fileno()).st_size
    (said,) = re.findall(r"(\d+) bytes a chat", (ROOT / "docs" / "benchmark.md").read_text())
    assert len(chats) == 5_000
    assert size / 5_000 == pytest.approx(int(said), rel=0.1)


SEEN = """
import random
from postpress_source.walks.spool import SeenIds
draw = random.Random(1)
print(SeenIds().add([f"chat_{draw.getrandbits(100):026x}" for _ in range(50_000)]))
"""


def test_what_seems_to_have_come_before_is_the_same_in_each_process() -> None:
    command = [sys.executable, "-c", SEEN]
    environments = [os.environ | {"PYTHONHASHSEED": seed} for seed in "12"]
    said = {subprocess.check_output(command, env=environment) for environment in environments}
    assert len(said) == 1
    assert b"chat_" in said.pop(), "else this proves nothing"


# --- where it is ---------------------------------------------------------------------------------


FULL = """
import os, resource, sys
import dlt
from postpress_source import postpress_source
from postpress_source.sandbox import World, serve

accounts, world = int(sys.argv[1]), World()
with world.batch():
    for _ in range(accounts):
        world.connect_account("LINKEDIN", history=6_000 // accounts)
with serve(world) as server:
    chosen = {"account_id": list(world.accounts)} if accounts > 1 else {}
    pipeline = dlt.pipeline("full", pipelines_dir="pipelines", destination="filesystem")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18))
    try:
        pipeline.extract(postpress_source(api_key=server.key, base_url=server.url, **chosen))
    except Exception as error:
        print(type(error.__context__).__name__, error.__context__)
print(os.listdir(os.environ["TMPDIR"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit can be set there")
@pytest.mark.parametrize("accounts", [1, 60])
def test_a_disk_that_is_full_ends_the_run_and_is_named(accounts: int, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {"TMPDIR": str(folder), "DESTINATION__BUCKET_URL": tmp_path.as_uri()}
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(accounts)],
        cwd=tmp_path,
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    error, left = ran.stdout.strip().splitlines()
    assert error.startswith("PostpressRequestError The temporary file in which chats wait can't be")
    assert f"without a name in {folder}." in error
    assert "TMPDIR" in error
    assert "skipped" not in ran.stderr, "it is no account's own trouble"
    assert left == "[]"


def test_a_folder_that_takes_no_file_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(PostpressRequestError, match=r"none\. Next: .*TMPDIR"):
        Spool()


def test_nothing_of_it_is_in_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with closing(Spool()) as spool:
        spool.add(0, [page_of([str(n) for n in range(5_000)])])
        assert spool.find(0, {"4999"})
        assert os.fstat(spool._file.fileno()).st_size > 50_000
        assert not list(tmp_path.iterdir())

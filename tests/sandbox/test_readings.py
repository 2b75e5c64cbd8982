"""Each reading of the documents as a switch, and that the honest ones hide nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from postpress_source.sandbox import ApiError, Sandbox, World, WorldOptions, serve
from postpress_source.sandbox.cursor import Filters
from postpress_source.sandbox.options import FILTERS, Instants, Order
from postpress_source.sandbox.store import Chat
from tests.sandbox.reader import NOW, at, ids, ms, pages_of, read, world_of

A0 = Filters(account_ids=("a0",))

# --- honest readings ------------------------------------------------------------------------------

honest: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "order": st.sampled_from(list(get_args(Order))),
        "shuffle_seed": st.integers(0, 3),
        "nulls": st.sampled_from(["first", "last", "mixed"]),
        "cursor": st.sampled_from(["keyset", "offset"]),
        "cursor_filters": st.sampled_from(["carried", "wanted", "refused"]),
        "cursor_lifetime": st.just(1),
        "trailing_page": st.booleans(),
        "short_pages": st.booleans(),
        "page_cap": st.none() | st.integers(1, 4),
        "empty_every": st.none() | st.integers(2, 4),
        "time_filter": st.sampled_from(["activity", "creation"]),
        "timeless": st.sampled_from(["out", "in"]),
        "envelope": st.sampled_from(["items", "data"]),
        "numbers": st.sampled_from(["integers", "booleans", "floats", "texts"]),
        "instants": st.sampled_from(list(get_args(Instants))),
        "rounding": st.booleans(),
        "comma_fails": st.booleans(),
        "unknown_account": st.sampled_from(["empty", "400", "404"]),
        "sick_in_list": st.sampled_from(["stale", "hidden", "fails", "first", "every_second"]),
    },
)
moments = st.none() | st.sampled_from([at(-0.01), at(0), at(1), at(1.001), at(2)])
drawn_chats = st.lists(
    st.tuples(st.integers(0, 2), moments, st.sampled_from([-1, 0, 3]), st.booleans()), max_size=12
)
filters: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    account_id=st.none() | st.lists(st.sampled_from(["a0", "a1", "a2"]), min_size=1),
    account_type=st.sampled_from([None, "WHATSAPP", "LINKEDIN", "SLACK"]),
    unread=st.sampled_from([None, True, False]),
    before=moments,
    after=moments,
)


@given(chats=drawn_chats, options=honest, asked=filters, limit=st.integers(1, 6))
def test_with_any_honest_readings_a_naive_client_gets_the_plain_truth(
    chats: list[tuple[int, datetime | None, int, bool]],
    options: dict[str, Any],
    asked: dict[str, Any],
    limit: int,
) -> None:
    world = world_of(0, 3, **options)
    for number, (account, moment, unread, twin) in enumerate(chats):
        fields: dict[str, Any] = {"timestamp": moment, "unread_count": unread}
        world.new_chat(f"a{account}", id=f"c{number}", created=at(-number % 3), **fields)
        if twin:
            world.repeat_chat(f"c{number}", unread_count=9)

    got = [chat for page in pages_of(world, sent(asked), limit) for chat in page.items]

    told = world.relist(**asked)
    if options.get("order") == "none":
        assert sorted(map(repr, got)) == sorted(map(repr, told))
    else:
        assert got == told


def sent(asked: dict[str, Any]) -> Filters:
    named = asked["account_id"] and tuple(asked["account_id"])
    bounds = ms(asked["before"]), ms(asked["after"])
    return Filters(named, asked["account_type"], asked["unread"], *bounds)


# --- filters --------------------------------------------------------------------------------------

NARROWED: dict[str, tuple[Filters, dict[str, Any]]] = {
    "account_id": (Filters(("a1",)), {"account_id": "a1"}),
    "account_type": (Filters(account_type="LINKEDIN"), {"account_type": "LINKEDIN"}),
    "unread": (Filters(unread=True), {"unread": True}),
    "before": (Filters(before=ms(at(-4))), {"before": at(-4)}),
    "after": (Filters(after=ms(at(-10))), {"after": at(-10)}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_may_be_ignored_or_heeded_on_page_one_only(name: str) -> None:
    narrowed, asked = NARROWED[name]
    whole, told = ids(world_of(13).relist()), ids(world_of(13).relist(**asked))
    assert len(told) < len(whole)

    assert read(world_of(13), narrowed) == told
    ignoring = world_of(13, ignored_filters=[name])
    assert read(ignoring, narrowed) == whole
    assert ids(ignoring.relist(**asked)) == told, "the truth is what a heeded filter lists"
    behind = whole[whole.index(told[2]) + 1 :]
    assert read(world_of(13, first_page_filters=(name,)), narrowed) == told[:3] + behind


def test_other_filters_are_heeded_beside_an_ignored_one() -> None:
    world = world_of(12, ignored_filters=("unread",))
    assert read(world, Filters(("a0",), unread=True)) == ids(world.relist(account_id="a0"))


def test_a_cursor_without_filters_is_a_place_in_the_whole_list() -> None:
    world = world_of(9, cursor_filters="wanted")
    assert read(world, A0) == ["c00", "c02", "c04", "c06", "c08"]
    assert read(world, A0, alone=True) == ["c00", "c02", "c04", "c05", "c06", "c07", "c08"]
    assert [len(page.chats) for page in pages_of(world, A0, 2, alone=True)] == [2, 6]


def test_a_cursor_that_carries_ignores_what_stands_beside_it() -> None:
    world = world_of(9)
    token = world.first_page(A0, 3).cursor
    assert token is not None
    plain = world.next_page(token).items
    assert world.next_page(token, Filters(("a1",)), 1).items == plain
    assert ids(plain) == ["c06", "c08"]


@pytest.mark.parametrize("beside", [(A0, None), (None, 3), (A0, 3)])
def test_a_cursor_may_refuse_whatever_stands_beside_it(beside: Any) -> None:
    world = world_of(9, cursor_filters="refused")
    token = world.first_page(A0, 3).cursor
    assert token is not None
    with pytest.raises(ApiError, match="400"):
        world.next_page(token, *beside)
    assert ids(world.next_page(token).items) == ["c06", "c08"]


def test_chats_without_a_timestamp_are_in_or_out_of_a_window() -> None:
    for timeless, listed in (("out", ["c00"]), ("in", ["c00", "c03"])):
        world = world_of(3, timeless=timeless)
        world.new_chat("a0", id="c03", at=at(-90), timestamp=None)
        assert ids(world.relist(after=at(-1))) == listed
        assert read(world, Filters(after=ms(at(-1)))) == listed
    world = world_of(0, timeless="in", time_filter="creation")
    world.new_chat("a0", timestamp=None, created=at(-90))
    assert world.relist(after=at(-1)) == [], "each chat has a creation time"


# --- order ----------------------------------------------------------------------------------------


def test_by_creation_has_nothing_to_do_with_activity() -> None:
    world = world_of(0, order="by_creation")
    for number, created in enumerate((1, 3, 2)):
        world.new_chat("a0", id=f"c{number}", at=at(number), created=at(created))
    assert ids(world.relist()) == read(world) == ["c1", "c2", "c0"]


def test_without_an_order_each_walk_has_its_own_and_misses_nothing() -> None:
    world = world_of(20, order="none")
    walks = [tuple(read(world)) for _ in range(4)]
    assert len(set(walks)) == 4
    assert {tuple(sorted(walk)) for walk in walks} == {tuple(ids(world.relist()))}
    again = world_of(20, order="none")
    assert [tuple(read(again)) for _ in range(4)] == walks, "the same calls, the same world"


@pytest.mark.parametrize("cursor", ["keyset", "offset"])
def test_unstable_ties_repeat_and_skip(cursor: str) -> None:
    world = World(WorldOptions(ties="unstable", cursor=cursor), now=NOW)  # type: ignore[arg-type]
    for number in range(30):
        world.new_chat(id=f"c{number:02}", at=at(-(number // 10)))
    got = read(world, limit=4)
    counts = Counter(got)
    assert max(counts.values()) > 1
    assert len(counts) < 30
    minutes = [int(id_[1]) for id_ in got]
    assert minutes == sorted(minutes), "only ties are unstable"


def test_unstable_ties_leave_alone_what_does_not_tie() -> None:
    for order in ("newest_first", "by_id", "by_creation"):
        world = world_of(20, order=order, ties="unstable")
        assert read(world) == ids(world.relist())


# --- pages ----------------------------------------------------------------------------------------


def test_pages_may_have_fewer_chats_than_asked_for() -> None:
    world = world_of(10, page_cap=4)
    assert [len(page.chats) for page in pages_of(world, limit=250)] == [4, 4, 2]
    assert [len(page.chats) for page in pages_of(world, limit=3)] == [3, 3, 3, 1]
    ended = [len(page.chats) for page in pages_of(world_of(8, page_cap=4, trailing_page=True))]
    assert ended == [4, 4, 0]


def test_pages_may_be_empty_in_the_middle() -> None:
    pages = pages_of(world_of(7, empty_every=2), limit=2)
    assert [len(page.chats) for page in pages] == [2, 0, 2, 0, 2, 0, 1]


def test_an_extra_page_is_missed_by_nobody() -> None:
    world = world_of(6, repeats="extra", repeated_page=2, repeat_times=2)
    assert [ids(page.items) for page in pages_of(world, limit=2)] == [
        ["c00", "c01"], ["c02", "c03"], ["c02", "c03"], ["c02", "c03"], ["c04", "c05"],
    ]  # fmt: skip


def test_a_page_may_repeat_instead_of_others() -> None:
    world = world_of(8, repeats="instead", repeat_times=2)
    pages = pages_of(world, limit=2)
    assert [ids(page.items)[0] for page in pages] == ["c00", "c00", "c00", "c06"]
    assert len({page.cursor for page in pages}) == 4, "the cursor moves"
    world = world_of(8, repeats="instead", repeated_page=2, repeat_times=None)
    assert [ids(page.items)[0] for page in pages_of(world, limit=2)] == ["c00", "c02", "c02", "c02"]
    assert len(world.relist()) == 8


# --- how it is written ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ("integers", (0, 2, 1, -1, 1, 0)),
        ("booleans", (0, 2, True, -1, 1, False)),
        ("floats", (0.0, 2.0, 1.0, -1.0, 1.0, 0.0)),
        ("texts", ("0", "2", "1", "-1", "1", "0")),
    ],
)
def test_numbers_and_flags(numbers: str, written: tuple[object, ...]) -> None:
    world = world_of(0, numbers=numbers)
    fields: dict[str, Any] = {
        "unread_count": 2,
        "archived": 1,
        "muted_until": -1,
        "read_only": 1,
        "pinned": 0,
    }
    chat_id = world.new_chat("a0", **fields)
    for chat in (world.chat(chat_id), world.relist()[0], world.first_page().items[0]):
        values = tuple(chat[name] for name in ("type", *fields))
        assert values == written
        assert [type(value) for value in values] == [type(value) for value in written]
    world.receive_message(chat_id)
    assert int(world.chat(chat_id)["unread_count"]) == 3, "inside it is a number all the same"


@pytest.mark.parametrize(
    ("instants", "written"),
    [
        ("milliseconds", "2026-05-17T09:42:11.345Z"),
        ("offset", "2026-05-17T09:42:11.345+00:00"),
        ("seconds", "2026-05-17T09:42:11Z"),
        ("microseconds", "2026-05-17T09:42:11.345000Z"),
        ("no_zone", "2026-05-17T09:42:11.345"),
    ],
)
def test_instants(instants: str, written: str) -> None:
    world = world_of(1, instants=instants)
    world.mute("c00", NOW)
    world.new_chat("a0", timestamp=None, muted_until=-1)
    (chat, other), listed = world.relist(), world.first_page().items
    assert (chat["timestamp"], chat["muted_until"]) == (written, written)
    assert (other["timestamp"], other["muted_until"]) == (None, -1)
    assert listed == [chat, other]
    assert ids(world.relist(after=at(-0.000_01))) == ["c00"], "filtered is by the millisecond"


# --- accounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "more", "shown"),
    [
        ("first", {}, ["c00"]),
        ("first", {"sick_first": 3}, ["c00", "c02", "c04"]),
        ("first", {"sick_first": 0}, []),
        ("every_second", {}, ["c00", "c04", "c08"]),
    ],
)
def test_a_sick_account_may_be_listed_in_part(
    reading: str, more: dict[str, Any], shown: list[str]
) -> None:
    world = world_of(10, sick_in_list=reading, **more)
    everything = ids(world.relist())
    world.disconnect_account("a0")
    assert read(world) == sorted([*shown, "c01", "c03", "c05", "c07", "c09"])
    assert ids(world.relist()) == everything
    world.heal_account("a0")
    assert read(world) == everything


@pytest.mark.parametrize("status", ["400", "404"])
def test_an_unknown_account_may_be_refused(status: str) -> None:
    world = world_of(4, unknown_account=status)
    world.disconnect_account("a1", None)
    for named in (("nobody",), ("a1",), ("a0", "nobody")):
        with pytest.raises(ApiError, match=status):
            world.first_page(Filters(named))
    lenient = world_of(4, unknown_account=status, comma_fails=False)
    assert read(lenient, Filters(("a0", "nobody"))) == ["c00", "c02"]
    with pytest.raises(ApiError, match="nobody"):
        lenient.first_page(Filters(("nobody",)))


def test_a_filter_by_account_that_is_ignored_meets_no_unknown_and_no_sick_one() -> None:
    world = world_of(4, ignored_filters=("account_id",), unknown_account="404")
    world.disconnect_account("a0")
    assert len(read(world, A0)) == len(read(world, Filters(("nobody",)))) == 4


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"order": "newest"}, "order: one of newest_first, .* not 'newest'"),
        ({"cursor_filters": None}, "cursor_filters: one of carried, wanted, refused"),
        ({"ignored_filters": "unread"}, "ignored_filters: a tuple of names out of account_id"),
        ({"first_page_filters": ("limit",)}, "first_page_filters: .* not \\['limit'\\]"),
        (
            {"ignored_filters": ("unread",), "first_page_filters": ("unread", "after")},
            "both in ignored_filters and first_page_filters: \\['unread'\\]",
        ),
        ({"repeats": "extra", "repeat_times": None}, "repeat_times=None would never end"),
        ({"cursor_lifetime": 0}, "cursor_lifetime: an integer, 1 or more, not 0"),
        ({"page_cap": 0}, "page_cap: an integer, 1 or more"),
        ({"empty_every": 1}, "empty_every: an integer, 2 or more"),
        ({"repeated_page": None}, "repeated_page: an integer, 1 or more"),
        ({"sick_first": -1}, "sick_first: an integer, 0 or more"),
        ({"rounding": "yes"}, "rounding: True or False"),
    ],
)
def test_what_is_no_reading_is_refused_by_name(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WorldOptions(**options)


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(World()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, headers={"X-API-KEY": "pp_live_x"}) as pool:
        yield pool


def get(http: urllib3.PoolManager, sandbox: Sandbox, **fields: str) -> Any:
    return http.request("GET", f"{sandbox.url}/chats", fields=fields)


def walk(http: urllib3.PoolManager, sandbox: Sandbox, **fields: str) -> list[Chat]:
    page = get(http, sandbox, **fields).json()
    chats: list[Chat] = page.get("items", page.get("data"))
    for _ in range(500):
        token = page.get("cursor", page.get("next_cursor"))
        if token is None:
            return chats
        answer = get(http, sandbox, cursor=token, **fields)
        if answer.status == 400:
            answer = get(http, sandbox, cursor=token)
        page = json.loads(answer.data)
        chats += page.get("items", page.get("data"))
    raise AssertionError("the walk doesn't end")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cursor_filters": "wanted", "page_cap": 3, "numbers": "texts", "cursor": "offset"},
        {"cursor_filters": "refused", "empty_every": 2, "instants": "no_zone", "envelope": "data"},
        {"short_pages": True, "order": "by_creation", "trailing_page": True, "numbers": "floats"},
    ],
)
def test_a_naive_client_gets_the_plain_truth_over_http(
    sandbox: Sandbox, http: urllib3.PoolManager, options: dict[str, Any]
) -> None:
    sandbox.reset(world_of(40, 4, **options))
    got = walk(http, sandbox, account_id="a0,a2", unread="true", limit="4")
    assert got == sandbox.world.relist(account_id=["a0", "a2"], unread=True)
    assert len(got) == 13


def test_beside_a_cursor_over_http(sandbox: Sandbox, http: urllib3.PoolManager) -> None:
    sandbox.reset(world_of(9, cursor_filters="refused"))
    token = get(http, sandbox, limit="2", account_id="a0").json()["cursor"]
    for name, value in (("limit", "2"), ("account_id", "a0"), ("unread", "true")):
        refusal = get(http, sandbox, cursor=token, **{name: value})
        assert (refusal.status, refusal.json()["detail"][:7]) == (400, "cursor:")
    assert ids(get(http, sandbox, cursor=token).json()["items"]) == ["c04", "c06"]

    sandbox.reset(world_of(9, cursor_filters="wanted"))
    token = get(http, sandbox, limit="2", account_id="a0").json()["cursor"]
    assert ids(get(http, sandbox, cursor=token, limit="2").json()["items"]) == ["c03", "c04"]
    assert get(http, sandbox, cursor=token, limit="x").status == 400


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_account_over_http(
    sandbox: Sandbox, http: urllib3.PoolManager, status: int
) -> None:
    sandbox.reset(world_of(2, unknown_account=str(status)))
    assert get(http, sandbox, account_id="nobody").status == status
    assert get(http, sandbox, account_id="a0").status == 200


def test_a_filter_ignored_over_http(sandbox: Sandbox, http: urllib3.PoolManager) -> None:
    sandbox.reset(world_of(9, ignored_filters=("account_type",)))
    assert len(walk(http, sandbox, account_type="LINKEDIN", limit="2")) == 9
    assert get(http, sandbox, account_type="linkedin").status == 400, "read it is, all the same"

"""The world without HTTP: what it lists, and what happens in it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpress_source.sandbox import ABSENT, ApiError, World, WorldOptions, generate_world
from postpress_source.sandbox.cursor import ALL, Filters, read_cursor
from postpress_source.sandbox.listing import Page
from postpress_source.sandbox.store import Chat
from tests.sandbox.reader import MINUTE, NOW, at, ids, ms

Drawn = tuple[int, datetime | None, int, int]  # account, timestamp, unread count, twin


def small_world(*minutes: float | None, **options: Any) -> World:
    world = World(WorldOptions(**options), now=NOW)
    for number, minute in enumerate(minutes):
        fields = {"timestamp": None} if minute is None else {}
        world.new_chat(id=f"c{number}", at=at(minute or 0), **fields)
    return world


def walk(world: World, filters: Filters = ALL, limit: int = 100, most: int = 10_000) -> list[Page]:
    pages = [world.first_page(filters, limit)]
    while (token := pages[-1].cursor) is not None:
        assert len(pages) < most, "the walk doesn't end"
        pages.append(world.next_page(token))
    return pages


def cursor_of(page: Page) -> str:
    assert page.cursor is not None
    return page.cursor


def chats_of(pages: list[Page]) -> list[Chat]:
    return [chat for page in pages for chat in page.items]


options_given: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    order=st.sampled_from(["newest_first", "oldest_first", "by_id", "by_account", "shuffled"]),
    shuffle_seed=st.integers(0, 3),
    nulls=st.sampled_from(["first", "last", "mixed"]),
    cursor=st.sampled_from(["keyset", "offset"]),
    trailing_page=st.booleans(),
    short_pages=st.booleans(),
    time_filter=st.sampled_from(["activity", "creation"]),
    rounding=st.booleans(),
    comma_fails=st.booleans(),
)
# Few distinct times, so that ties and filters on the very bound are common.
moments = st.none() | st.sampled_from([at(-0.01), at(0), at(0), at(1), at(1.001), at(2)])
drawn_chats = st.lists(
    st.tuples(st.integers(0, 2), moments, st.sampled_from([-1, 0, 0, 3]), st.sampled_from([0, 1])),
    max_size=12,
)
TYPES = ["WHATSAPP", "LINKEDIN", "WHATSAPP"]


def drawn_world(chats: list[Drawn], options: dict[str, Any]) -> World:
    world = World(WorldOptions(**options), now=NOW)
    for number, provider in enumerate(TYPES):
        world.connect_account(provider, id=f"a{number}")
    for number, (account, moment, unread, twin) in enumerate(chats):
        created = at(-number % 3)
        fields: dict[str, Any] = {"timestamp": moment, "unread_count": unread}
        world.new_chat(f"a{account}", id=f"c{number % 10}{number}", created=created, **fields)
        if twin:
            world.repeat_chat(f"c{number % 10}{number}", unread_count=9)
    return world


@given(
    chats=drawn_chats,
    options=options_given,
    accounts=st.none() | st.lists(st.sampled_from(["a0", "a1", "a2", "nobody"]), min_size=1),
    account_type=st.sampled_from([None, "WHATSAPP", "LINKEDIN", "SLACK"]),
    unread=st.sampled_from([None, True, False]),
    before=moments,
    after=moments,
    limit=st.integers(1, 6),
)
def test_a_walk_by_cursor_of_an_unchanged_world_is_the_plain_list(
    chats: list[Drawn],
    options: dict[str, Any],
    accounts: list[str] | None,
    account_type: str | None,
    unread: bool | None,
    before: datetime | None,
    after: datetime | None,
    limit: int,
) -> None:
    world = drawn_world(chats, options)
    named = tuple(accounts) if accounts else None
    narrowed = Filters(named, account_type, unread, ms(before), ms(after))

    pages = walk(world, narrowed, limit, most=60)

    told = world.relist(
        account_id=accounts, account_type=account_type, unread=unread, before=before, after=after
    )
    assert chats_of(pages) == told
    assert all(len(page.chats) <= limit for page in pages)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    if not options["short_pages"]:
        assert all(len(page.chats) == limit for page in pages[:-1])
        assert options["trailing_page"] or len(pages) == max(1, -(-len(told) // limit))


@given(chats=drawn_chats, options=options_given, unread=st.sampled_from([None, True, False]))
def test_relist_is_what_a_reader_of_the_documents_would_sort_and_filter(
    chats: list[Drawn], options: dict[str, Any], unread: bool | None
) -> None:
    world = drawn_world(chats, options)
    listed = world.relist(unread=unread, after=at(0))
    everything = world.relist()

    assert len(everything) == len(chats) + sum(chat[3] for chat in chats)
    assert sorted(ids(listed)) == sorted(
        chat["id"]
        for chat in everything
        if (unread is None or unread == (chat["unread_count"] != 0))
        and after_zero(chat, options, everything)
    )
    assert_sorted(everything, options)


def after_zero(chat: Chat, options: dict[str, Any], everything: list[Chat]) -> bool:
    if options["time_filter"] == "creation":
        return -int(chat["id"][2:]) % 3 > 0
    return chat["timestamp"] is not None and chat["timestamp"] > "2026-05-17T09:42:11.345Z"


def assert_sorted(listed: list[Chat], options: dict[str, Any]) -> None:
    order, nulls = options["order"], options["nulls"]
    if order == "by_id":
        assert ids(listed) == sorted(ids(listed))
    if order == "by_account":
        owners = [chat["account_id"] for chat in listed]
        assert owners == sorted(owners)
    if order in ("newest_first", "oldest_first"):
        shown = [chat["timestamp"] for chat in listed]
        known = [timestamp for timestamp in shown if timestamp]
        assert known == sorted(known, reverse=order == "newest_first")
        if nulls == "last":
            assert shown[: len(known)] == known
        elif nulls == "first":
            assert shown[len(shown) - len(known) :] == known


def test_by_account_is_newest_first_within_an_account() -> None:
    world = small_world(order="by_account")
    for account in ("b", "a"):
        world.connect_account(id=account)
        for minute in (1, 3, 2):
            world.new_chat(account, id=f"{account}{minute}", at=at(minute))
    assert ids(world.relist()) == ["a3", "a2", "a1", "b3", "b2", "b1"]


def test_mixed_nulls_stay_where_their_last_activity_puts_them() -> None:
    world = small_world(3, 2, 1, nulls="mixed")
    world.null_timestamp("c1")
    assert ids(world.relist()) == ["c0", "c1", "c2"]
    assert world.chat("c1")["timestamp"] is None


def test_keyset_goes_on_after_the_last_key_when_rows_move() -> None:
    world = small_world(6, 5, 4, 3, 2, 1)
    first = world.first_page(limit=2)
    world.receive_message("c4", at(9))  # jumps to the top: this walk misses it
    world.delete_chat("c0")
    rest = world.next_page(cursor_of(first))
    assert (ids(first.items), ids(rest.items)) == (["c0", "c1"], ["c2", "c3"])


def test_keyset_survives_the_last_row_of_the_page_moving_or_vanishing() -> None:
    for change in (World.delete_chat, World.receive_message):
        world = small_world(6, 5, 4, 3)
        first = world.first_page(limit=2)
        change(world, "c1")
        assert ids(world.next_page(cursor_of(first)).items) == ["c2", "c3"]


def test_offset_skips_a_row_when_one_above_vanishes_and_repeats_one_when_one_jumps_up() -> None:
    world = small_world(6, 5, 4, 3, cursor="offset")
    first = world.first_page(limit=2)
    world.delete_chat("c0")
    assert ids(world.next_page(cursor_of(first)).items) == ["c3"]

    world = small_world(6, 5, 4, 3, cursor="offset")
    first = world.first_page(limit=2)
    world.receive_message("c3", at(9))
    assert ids(world.next_page(cursor_of(first)).items) == ["c1", "c2"]


def test_bounds_are_exclusive_and_mean_activity_or_creation() -> None:
    for time_filter, between in (("activity", ["c1"]), ("creation", ["c0"])):
        world = small_world(time_filter=time_filter)
        for number in range(3):
            world.new_chat(id=f"c{number}", at=at(number), created=at((number + 1) % 3))
        assert ids(world.relist(after=at(0), before=at(2))) == between
    world = small_world(0, None, 1)
    assert ids(world.relist(after=at(-9))) == ["c2", "c0"]


def test_a_null_timestamp_still_has_a_creation_time() -> None:
    world = small_world(None, time_filter="creation")
    assert ids(world.relist(after=at(-1))) == ["c0"]
    assert world.relist(after=at(0)) == []


def test_short_pages_leave_empty_pages_in_mid_walk() -> None:
    world = small_world(*range(9), short_pages=True)
    world.mark_unread("c0")
    pages = walk(world, Filters(unread=True), limit=2)
    assert [len(page.chats) for page in pages] == [0, 0, 0, 0, 1]


def test_a_trailing_page_is_empty_and_has_no_cursor() -> None:
    pages = walk(small_world(1, 2, 3, 4, trailing_page=True), limit=2)
    assert [len(page.chats) for page in pages] == [2, 2, 0]


def test_a_cursor_expires_after_its_lifetime() -> None:
    world = small_world(*range(9), cursor_lifetime=2)
    token = cursor_of(world.first_page(limit=1))
    world.next_page(token)
    world.next_page(token)
    with pytest.raises(ApiError, match="expired") as refusal:
        world.next_page(token)
    assert refusal.value.status == 400


def test_cursors_use_all_of_base64_and_a_damaged_one_is_refused() -> None:
    world = small_world(*range(200))
    tokens = [cursor_of(page) for page in walk(world, limit=1)[:-1]]
    assert len(set(tokens)) == 199
    assert set("+/=") <= set("".join(tokens))
    # As a client does that forgets to encode it.
    plus = next(token for token in tokens if "+" in token)
    for damaged in ("", "x", "eyJhIjoxfQ==", plus.replace("+", " "), plus[:-4]):
        with pytest.raises(ApiError, match="400"):
            world.next_page(damaged)


def test_a_cursor_keeps_the_walks_filters_and_limit() -> None:
    world = small_world(*range(5))
    narrowed = Filters(unread=False, after=ms(at(0)))
    cursor = read_cursor(cursor_of(world.first_page(narrowed, 2)))
    assert (cursor.filters, cursor.limit, cursor.page) == (narrowed, 2, 2)


def test_before_page_changes_the_world_in_mid_walk() -> None:
    world = small_world(3, 2, 1)
    world.before_page = lambda world: world.receive_message("c2", at(world.pages_served + 10))
    assert ids(chats_of(walk(world, limit=1))) == ["c2", "c0", "c1"]


def test_rounding_is_down_to_the_second() -> None:
    world = small_world(0, rounding=True)
    assert world.chat("c0")["timestamp"] == "2026-05-17T09:42:11.000Z"
    world.receive_message("c0", NOW + timedelta(milliseconds=1654))
    assert world.chat("c0")["timestamp"] == "2026-05-17T09:42:12.000Z"


def test_every_operation_shows_what_it_says_and_moves_no_timestamp() -> None:
    world = small_world(0)
    world.connect_account("LINKEDIN", id="li")
    before = world.chat("c0")
    changes: list[tuple[Callable[..., None], tuple[Any, ...], Chat]] = [
        (world.mark_unread, (), {"unread_count": -1}),
        (world.read, (), {"unread_count": 0}),
        (world.archive, (), {"archived": 1}),
        (world.pin, (), {"pinned": 1}),
        (world.mute, (), {"muted_until": -1}),
        (world.mute, (at(1),), {"muted_until": "2026-05-17T09:43:11.345Z"}),
        (world.mute, (None,), {"muted_until": None}),
        (world.rename, ("=1+1",), {"name": "=1+1"}),
        (world.refile, (["a", "b"],), {"folder": ["a", "b"]}),
        (world.refile, ([],), {"folder": []}),
        (world.disable_features, (["reply"],), {"disabledFeatures": ["reply"]}),
    ]
    for operation, arguments, shown in changes:
        operation("c0", *arguments)
        before |= shown
        assert world.chat("c0") == before
        assert world.relist() == [before]
    world.refile("c0", None)
    world.disable_features("c0", None)
    world.edit("c0", pinned=ABSENT, unheard_of={"of": [1]}, type=7)
    after = world.chat("c0")
    assert not after.keys() & {"folder", "disabledFeatures", "pinned"}
    assert (after["unheard_of"], after["type"]) == ({"of": [1]}, 7)
    assert world.relist() == [after]


def test_messages_count_up_also_from_marked_unread_and_never_move_a_chat_back() -> None:
    world = small_world(0)
    world.mark_unread("c0")
    world.receive_message("c0", at(-5))
    world.receive_message("c0", at(2))
    chat = world.chat("c0")
    assert (chat["unread_count"], chat["timestamp"]) == (2, "2026-05-17T09:44:11.345Z")


def test_a_late_chat_appears_behind_what_is_already_listed() -> None:
    world = small_world(0, -10, -50)
    late = world.late_chat(behind=30 * MINUTE)
    assert ids(world.relist()) == ["c0", "c1", late, "c2"]


def test_a_chat_may_be_listed_twice() -> None:
    world = small_world(0, 1)
    world.repeat_chat("c1", timestamp=at(-1), unread_count=5)
    world.read("c1")
    assert [(c["id"], c["unread_count"]) for c in world.relist()] == [
        ("c1", 0),
        ("c0", 0),
        ("c1", 5),
    ]
    world.delete_chat("c1")
    assert ids(world.relist()) == ["c0"]


def test_ids_are_kept() -> None:
    world = small_world(0)
    for refused in ({"id": "x"}, {"account_id": "x"}):
        with pytest.raises(ValueError, match="keeps"):
            world.edit("c0", **refused)
    with pytest.raises(ValueError, match="taken"):
        world.new_chat(id="c0")
    assert len(world.relist()) == len(world) == 1


def test_a_sick_account_fails_alone_and_in_company_as_told() -> None:
    for comma_fails in (True, False):
        world = two_accounts(comma_fails=comma_fails)
        world.disconnect_account("sick", "errors/account_restricted")
        with pytest.raises(ApiError) as refusal:
            world.first_page(Filters(("sick",)))
        assert (refusal.value.status, refusal.value.type) == (403, "errors/account_restricted")
        if comma_fails:
            with pytest.raises(ApiError, match="restricted"):
                world.first_page(Filters(("well", "sick")))
        else:
            assert ids(world.first_page(Filters(("well", "sick"))).items) == ["w"]
        assert ids(world.first_page(Filters(("well",))).items) == ["w"]


@pytest.mark.parametrize(("reading", "shown"), [("stale", ["s", "w"]), ("hidden", ["w"])])
def test_the_whole_list_with_a_sick_account(reading: str, shown: list[str]) -> None:
    world = two_accounts(sick_in_list=reading)
    world.disconnect_account("sick")
    assert ids(world.first_page().items) == shown
    assert ids(world.relist()) == ["s", "w"]


def test_the_whole_list_may_fail_for_one_sick_account() -> None:
    world = two_accounts(sick_in_list="fails")
    world.disconnect_account("sick", "errors/no_client_session")
    with pytest.raises(ApiError, match="503"):
        world.first_page()
    with pytest.raises(ApiError, match="503"):
        world.first_page(Filters(account_type="WHATSAPP"))
    assert world.first_page(Filters(account_type="SLACK")).items == []
    world.heal_account("sick")
    assert ids(world.first_page().items) == ["s", "w"]


def test_an_account_may_vanish_without_a_trace_and_come_back() -> None:
    world = two_accounts()
    world.disconnect_account("sick", None)
    assert ids(world.first_page().items) == ids(world.relist()) == ["w"]
    assert world.first_page(Filters(("sick",))).items == []
    world.connect_account(id="sick")
    assert ids(world.relist()) == ["s", "w"]


def two_accounts(**options: Any) -> World:
    world = World(WorldOptions(**options), now=NOW)
    for number, account in enumerate(("well", "sick")):
        world.connect_account(id=account)
        world.new_chat(account, id=account[0], at=at(number))
    return world


def test_an_account_brings_its_history() -> None:
    world = small_world(0)
    account = world.connect_account("TELEGRAM", history=40)
    chats = world.relist(account_id=account)
    assert len(chats) == 40
    assert {chat["account_type"] for chat in chats} == {"TELEGRAM"}
    assert all(
        earlier["timestamp"] >= later["timestamp"]
        for earlier, later in pairwise([chat for chat in chats if chat["timestamp"]])
    )


def test_time_passes_with_activity_and_without() -> None:
    world = generate_world(400, 3, now=NOW)
    before = world.relist()
    assert world.advance(timedelta(days=1), activity=0) == {}
    assert world.relist() == before
    assert world.now == NOW + timedelta(days=1)

    counts = world.advance(timedelta(days=30))

    assert {"message", "read", "new_chat", "late_chat", "delete", "refile"} <= counts.keys()
    after = world.relist()
    assert len(after) == len(before) + counts["new_chat"] + counts["late_chat"] - counts["delete"]
    assert max(chat["timestamp"] or "" for chat in after) <= world.now.strftime(
        "%Y-%m-%dT%H:%M:%S.999Z"
    )
    assert chats_of(walk(world, limit=7)) == after
    assert_sorted(after, {"order": "newest_first", "nulls": "last"})


def test_the_same_seed_lives_the_same_life() -> None:
    def lived() -> list[Chat]:
        world = generate_world(50, 2, seed=3, now=NOW)
        world.advance(timedelta(days=3))
        return world.relist()

    assert lived() == lived()


def test_nothing_happens_to_a_sick_account() -> None:
    world = two_accounts()
    world.disconnect_account("sick")
    before = world.relist(account_id="sick")
    counts = world.advance(timedelta(days=60))
    assert counts["message"] > 0
    assert world.relist(account_id="sick") == before


def test_time_does_not_run_backwards_and_a_naive_time_is_refused() -> None:
    world = small_world(0)
    with pytest.raises(ValueError, match="forwards"):
        world.advance(-MINUTE)
    with pytest.raises(ValueError, match="zone"):
        world.receive_message("c0", NOW.replace(tzinfo=None))

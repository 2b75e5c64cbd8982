"""What happens in a real inbox and no document tells: the list, and the plain truth beside it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from postpress_source.sandbox import ApiError, Fault, Sandbox, World, serve
from postpress_source.sandbox.cursor import Filters
from postpress_source.sandbox.problems import DOCUMENTED, UNDOCUMENTED
from tests.sandbox.reader import MINUTE, NOW, at, ids, pages_of, read, world_of

A0, A1, BOTH = Filters(("a0",)), Filters(("a1",)), Filters(("a0", "a1"))
HOUR = timedelta(hours=1)

# --- delayed messages -----------------------------------------------------------------------------


def test_a_delayed_message_moves_a_chat_down() -> None:
    world = world_of(4)
    world.receive_delayed_message("c01", behind=1.5 * MINUTE)
    chat = world.chat("c01")
    assert (chat["timestamp"], chat["unread_count"]) == ("2026-05-17T09:39:41.345Z", 2)
    assert ids(world.relist()) == read(world) == ["c00", "c02", "c01", "c03"]


def test_a_delayed_message_dates_a_chat_that_had_no_timestamp() -> None:
    world = world_of(3)
    world.null_timestamp("c00")
    world.receive_delayed_message("c00", behind=90 * MINUTE)
    assert ids(world.relist()) == ["c01", "c02", "c00"]
    assert world.chat("c00")["timestamp"] == "2026-05-17T08:12:11.345Z"
    with pytest.raises(ValueError, match="behind"):
        world.receive_delayed_message("c00", behind=timedelta(0))


def test_a_chat_that_moves_down_in_mid_walk_is_met_twice() -> None:
    world = world_of(5)
    first = world.first_page(limit=2)
    world.receive_delayed_message("c00")
    assert first.cursor is not None
    assert ids(first.items) == ["c00", "c01"]
    assert ids(world.next_page(first.cursor, limit=9).items) == ["c02", "c03"]
    assert read(world)[-1] == "c00"


# --- trickling back -------------------------------------------------------------------------------


def test_an_account_trickles_back_with_the_pages() -> None:
    world = world_of(12)
    world.disconnect_account("a0")
    world.trickle_account("a0", 1, per_page=2)
    assert world.accounts["a0"].status == "OK"
    assert ids(world.relist(account_id="a0")) == ["c00"]
    lists = [ids(world.first_page(A0).items) for _ in range(4)]
    whole = ["c00", "c02", "c04", "c06", "c08", "c10"]
    assert lists == [whole[:1], whole[:3], whole[:5], whole]
    assert ids(world.relist(account_id="a0")) == whole


def test_an_account_trickles_back_with_time() -> None:
    world = world_of(12)
    world.trickle_account("a0", per_hour=0.5)
    others = ["c01", "c03", "c05", "c07", "c09", "c11"]
    assert read(world) == read(world) == others
    world.advance(4 * HOUR, activity=0)
    assert read(world, A0) == ids(world.relist(account_id="a0")) == ["c00", "c02"]
    assert read(world) == ids(world.relist()) == sorted([*others, "c00", "c02"])
    world.advance(9 * HOUR, activity=0)
    assert len(world.relist()) == 12


def test_the_whole_truth_stands_beside_what_is_back() -> None:
    world = world_of(6)
    world.trickle_account("a0")
    assert len(world.relist()) == 3
    assert len(world.relist(whole=True)) == len(world) == 6
    assert ids(world.relist(whole=True, account_id="a0", unread=True)) == ["c02", "c04"]
    world.heal_account("a0")
    assert len(world.relist()) == 6


def test_what_is_new_or_gets_a_message_is_back_at_once() -> None:
    world = world_of(8)
    world.trickle_account("a0", 1)
    world.new_chat("a0", id="new", at=at(-30))
    world.receive_message("c06", at(1))
    world.receive_delayed_message("c04", behind=HOUR)
    world.rename("c02", "no message")
    assert set(read(world, A0)) == {"c00", "new", "c06", "c04"}
    assert ids(world.relist(whole=True, account_id="a0")) == ["c06", "c00", "c02", "new", "c04"]


@given(
    first=st.integers(0, 9),
    per_page=st.integers(0, 3),
    per_hour=st.sampled_from([0, 0.3, 2.0]),
    life=st.lists(st.sampled_from(["page", "hour", "message", "new", "rename"]), max_size=20),
)
def test_none_that_is_back_goes_again(
    first: int, per_page: int, per_hour: float, life: list[str]
) -> None:
    world = world_of(10, 1)
    world.trickle_account("a0", first, per_page=per_page, per_hour=per_hour)
    back: set[str] = set()
    for number, event in enumerate(life):
        chat_id = f"c{number % 10:02}"
        if event == "page":
            world.first_page(limit=3)
        elif event == "hour":
            world.advance(HOUR, activity=0)
        elif event == "message":
            world.receive_message(chat_id)
        elif event == "new":
            world.new_chat("a0")
        else:
            world.rename(chat_id, "other")
        now = set(ids(world.relist()))
        assert back <= now <= set(ids(world.relist(whole=True)))
        back = now


def test_nothing_trickles_away() -> None:
    world = world_of(2)
    for numbers in ({"first": -1}, {"per_page": -1}, {"per_hour": -0.1}):
        with pytest.raises(ValueError, match="0 or more"):
            world.trickle_account("a0", **numbers)


# --- guests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["keyset", "offset"])
def test_a_guest_is_in_the_list_of_an_account_that_is_not_its_own(cursor: str) -> None:
    world = world_of(9, 3, cursor=cursor)
    whole, own = ids(world.relist()), ids(world.relist(account_id="a0"))
    world.show_guest("c04", "a0")
    world.show_guest("c05", "a0")
    assert read(world, A0, limit=2) == sorted([*own, "c04", "c05"])
    assert read(world, BOTH, limit=2) == sorted({*own, "c01", "c04", "c07", "c05"})
    assert read(world, A1, limit=2) == ["c01", "c04", "c07"]
    assert read(world) == ids(world.relist()) == whole
    assert ids(world.relist(account_id="a0")) == own
    assert {chat["account_id"] for chat in world.first_page(A0).items} == {"a0", "a1", "a2"}
    world.end_guests("a0")
    assert read(world, A0) == own


def test_other_filters_hold_for_a_guest_and_a_deleted_one_is_gone() -> None:
    world = world_of(4)
    world.show_guest("c01", "a0")
    assert read(world, Filters(("a0",), account_type="WHATSAPP")) == ["c00", "c02"]
    world.delete_chat("c01")
    assert read(world, A0) == ["c00", "c02"]
    with pytest.raises(ValueError, match="own chat"):
        world.show_guest("c00", "a0")


# --- mixed types ----------------------------------------------------------------------------------


def test_an_account_may_have_chats_of_other_types() -> None:
    world = world_of(12)
    world.mix_types("a0", "SLACK", None)
    types = {chat["id"]: chat["account_type"] for chat in world.relist(account_id="a0")}
    assert types == {
        "c00": "SLACK", "c02": "WHATSAPP", "c04": None, "c06": "WHATSAPP", "c08": "SLACK",
        "c10": "WHATSAPP",
    }  # fmt: skip
    assert read(world, Filters(account_type="SLACK")) == ["c00", "c08"]
    assert read(world, Filters(account_type="WHATSAPP")) == ["c02", "c06", "c10"]
    assert ids(world.relist(account_type="WHATSAPP")) == ["c02", "c06", "c10"]
    assert world.accounts["a0"].type == "WHATSAPP"


def test_types_mix_by_themselves_and_may_be_missing() -> None:
    world = world_of(4, 1)
    world.mix_types("a0")
    assert [chat["account_type"] for chat in world.relist()] == [
        "LINKEDIN",
        "WHATSAPP",
        None,
        "WHATSAPP",
    ]


# --- repeated pages -------------------------------------------------------------------------------


def test_pages_begin_to_repeat_in_mid_walk_and_stop() -> None:
    world = world_of(10)
    world.before_page = lambda world: world.pages_served == 2 and world.repeat_pages(3)
    pages = pages_of(world, limit=2)
    assert [ids(page.items)[0] for page in pages] == ["c00", "c02", "c04", "c04", "c04"]
    assert pages[-1].cursor is None
    assert len({page.cursor for page in pages}) == 5
    assert len(world.relist()) == 10
    world.before_page = None
    world.end_repeats()
    assert read(world) == ids(world.relist())


def test_pages_repeat_so_often_or_beside_the_others() -> None:
    world = world_of(8)
    world.repeat_pages(times=1)
    assert read(world, limit=2) == ["c00", "c01", "c00", "c01", "c04", "c05", "c06", "c07"]
    world.repeat_pages(times=1, extra=True)
    assert read(world, limit=4) == ids(world.relist())[:4] + ids(world.relist())
    with pytest.raises(ValueError, match="never end"):
        world.repeat_pages(extra=True)


# --- an account's own fault -----------------------------------------------------------------------


@pytest.mark.parametrize("error", [*DOCUMENTED, *UNDOCUMENTED])
def test_any_error_may_be_one_accounts_own_while_the_others_answer(error: str) -> None:
    status = str((DOCUMENTED | UNDOCUMENTED)[error][0])
    world = world_of(4)
    world.disconnect_account("a0", error)
    for named in (A0, BOTH):
        with pytest.raises(ApiError, match=f"{status} {error}"):
            world.first_page(named)
    assert read(world, A1) == ["c01", "c03"]
    assert read(world) == ids(world.relist()) == ["c00", "c01", "c02", "c03"]


def test_an_error_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="known error types"):
        world_of(2).disconnect_account("a0", "errors/none_such")


# --- several workspaces ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    others = {"pp_live_b": world_of(3, error_envelope="nested"), "other": world_of(1)}
    with serve(world_of(5), worlds=others) as sandbox:
        yield sandbox


def ask(sandbox: Sandbox, headers: dict[str, str], **fields: str) -> Any:
    with urllib3.PoolManager(retries=False) as http:
        answer = http.request("GET", f"{sandbox.url}/chats", fields=fields, headers=headers)
        return answer.status, answer.json()


def test_each_key_opens_its_own_workspace(sandbox: Sandbox) -> None:
    keys = {"pp_live_a": 5, "pp_live_b": 3, "other": 1}
    for key, chats in keys.items():
        for headers in ({"X-API-KEY": key}, {"Authorization": f"Bearer {key}"}):
            status, page = ask(sandbox, headers)
            assert (status, len(page["items"])) == (200, chats)
    assert ask(sandbox, {"X-API-KEY": "bad"})[0] == 401


def test_errors_and_faults_are_those_of_the_keys_own_workspace(sandbox: Sandbox) -> None:
    headers = {"X-API-KEY": "pp_live_b"}
    assert ask(sandbox, headers, limit="0")[1].keys() == {"error"}
    sandbox.faults.add(Fault(status=503))
    assert ask(sandbox, headers)[1].keys() == {"error"}
    assert ask(sandbox, headers)[0] == 200


def test_workspaces_outlive_a_reset_and_stand_beside_a_single_key() -> None:
    with serve(world_of(2), api_key="mine", worlds={"yours": world_of(1)}) as sandbox:
        sandbox.reset(World(now=NOW))
        sizes = [len(ask(sandbox, {"X-API-KEY": key})[1]["items"]) for key in ("mine", "yours")]
        assert sizes == [0, 1]
        assert ask(sandbox, {"X-API-KEY": "pp_live_a"})[0] == 401


# --- over HTTP ------------------------------------------------------------------------------------


def test_happenings_over_http(sandbox: Sandbox) -> None:
    world = world_of(6, 3)
    sandbox.reset(world)
    headers = {"X-API-KEY": "pp_live_a"}
    world.disconnect_account("a0", "errors/unprocessable_content")
    world.show_guest("c02", "a1")
    world.trickle_account("a2", 0, per_page=1)
    assert ask(sandbox, headers, account_id="a0")[0] == 422
    assert ask(sandbox, headers, account_id="a0,a1")[0] == 422
    # The guest itself hasn't come back when the first page is listed.
    assert ids(ask(sandbox, headers, account_id="a1")[1]["items"]) == ["c01", "c04"]
    assert ids(ask(sandbox, headers, account_id="a1")[1]["items"]) == ["c01", "c02", "c04"]
    assert ids(ask(sandbox, headers, account_id="a2")[1]["items"]) == ["c02", "c05"]


def test_an_account_that_falls_sick_while_it_trickles_is_listed_as_last_known() -> None:
    world = world_of(6)
    world.trickle_account("a0", 1)
    assert len(read(world)) == 4
    world.disconnect_account("a0")
    assert len(read(world)) == len(world.relist()) == 6

"""Generated worlds look like inboxes, and the same call gives the same world."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postpress_source.sandbox import World, generate_world
from postpress_source.sandbox.store import Chat

NOW = datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)  # a Sunday
PROVIDERS = {"WHATSAPP", "LINKEDIN", "SLACK", "TWITTER", "MESSENGER", "INSTAGRAM", "TELEGRAM"}
OPTIONAL = {
    "attendee_provider_id", "disabledFeatures", "subject", "organization_id", "mailbox_id",
    "content_type", "folder",
}  # fmt: skip
REQUIRED = {
    "object", "id", "account_id", "account_type", "provider_id", "name", "type", "timestamp",
    "unread_count", "archived", "muted_until", "read_only", "pinned",
}  # fmt: skip


@pytest.fixture(scope="module")
def chats() -> list[Chat]:
    return generate_world(8000, 7, now=NOW).relist()


def test_the_same_arguments_give_the_same_world() -> None:
    def make(seed: int) -> World:
        return generate_world(60, 3, seed, NOW)

    assert make(7).relist() == make(7).relist()
    assert make(7).relist() != make(8).relist()


@pytest.mark.parametrize(("chats", "accounts"), [(0, 0), (0, 2), (1, 3), (100, 1), (997, 11)])
def test_as_many_as_asked_for(chats: int, accounts: int) -> None:
    world = generate_world(chats, accounts, now=NOW)
    assert (len(world.relist()), len(world.accounts)) == (chats, accounts)


def test_impossible_numbers_are_refused() -> None:
    for chats, accounts in ((1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="account"):
            generate_world(chats, accounts)


def test_the_clock_is_the_real_one_by_default() -> None:
    now = generate_world(0).now
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=10)


def test_chats_have_the_documented_keys_and_optional_ones_now_and_then(chats: list[Chat]) -> None:
    assert all(chat.keys() >= REQUIRED and chat.keys() <= REQUIRED | OPTIONAL for chat in chats)
    for name in OPTIONAL:
        assert 0 < sum(name in chat for chat in chats) < len(chats), name


def test_all_documented_codes_and_values_occur(chats: list[Chat]) -> None:
    def values(name: str) -> set[Any]:
        return {chat.get(name) for chat in chats}

    assert values("account_type") == PROVIDERS
    assert values("type") == values("read_only") == {0, 1, 2}
    assert values("archived") == values("pinned") == {0, 1}
    assert values("content_type") == {None, "inmail", "sponsored", "linkedin_offer"}
    folders = {folder for chat in chats for folder in chat.get("folder", ())}
    kinds = ("CLASSIC", "RECRUITER", "SALES_NAVIGATOR", "ORGANIZATION")
    assert folders > {"INBOX", *(f"INBOX_LINKEDIN_{kind}" for kind in kinds)}
    assert any(chat.get("folder") == [] for chat in chats)
    assert any(chat.get("disabledFeatures") == [] for chat in chats)


def test_linkedin_things_stay_with_linkedin(chats: list[Chat]) -> None:
    for chat in chats:
        if chat["account_type"] != "LINKEDIN":
            assert not chat.keys() & {"organization_id", "mailbox_id", "content_type"}
        in_mailbox = "INBOX_LINKEDIN_ORGANIZATION" in chat.get("folder", ())
        assert in_mailbox == ("mailbox_id" in chat) == ("organization_id" in chat)


def test_activity_is_dense_lately_in_office_hours_and_never_in_the_future(
    chats: list[Chat],
) -> None:
    stamps = [chat["timestamp"] for chat in chats if chat["timestamp"]]
    times = [datetime.fromisoformat(stamp) for stamp in stamps]
    ages = [NOW - time for time in times]
    assert timedelta(0) <= min(ages)
    assert timedelta(380) < max(ages) < timedelta(405)
    assert sum(age < timedelta(30) for age in ages) > len(ages) / 3
    assert 0.005 < 1 - len(stamps) / len(chats) < 0.02
    hours = Counter(time.hour for time in times)
    assert hours[10] > 4 * hours[22]
    weekend = sum(time.weekday() > 4 for time in times)
    assert weekend < len(times) * 0.2


def test_unread_counts_have_a_tail_and_their_oddities(chats: list[Chat]) -> None:
    counts = [chat["unread_count"] for chat in chats]
    assert 0.6 < counts.count(0) / len(counts) < 0.9
    assert 0 < counts.count(-1) / len(counts) < 0.02
    assert max(counts) >= 4_000_000_000
    assert sum(9 < count < 10**6 for count in counts) > 10


def test_muted_until_takes_all_three_forms(chats: list[Chat]) -> None:
    forms = Counter(type(chat["muted_until"]).__name__ for chat in chats)
    assert forms.keys() == {"NoneType", "int", "str"}
    assert {chat["muted_until"] for chat in chats if chat["muted_until"] == -1} == {-1}


def test_names_are_of_the_kind_that_breaks_things(chats: list[Chat]) -> None:
    names = {chat["name"] for chat in chats}
    assert None in names
    assert "" in names
    for odd in ("=1+1", '"', "'", "\n", "🚀", "美"):
        assert any(odd in name for name in names if name), odd


def test_ids_are_unique_and_ulid_like(chats: list[Chat]) -> None:
    assert len({chat["id"] for chat in chats}) == len(chats)
    assert all(chat["id"].startswith("chat_01") and len(chat["id"]) == 31 for chat in chats)
    assert all(len(chat["account_id"]) == 30 for chat in chats)

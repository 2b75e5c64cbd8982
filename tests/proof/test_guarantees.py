"""Each row of the guarantees, shown: what a head walk brings, a full walk, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import dlt
import pytest

from postpress_source import PostpressUnavailableError
from postpress_source.sandbox import World, WorldOptions
from postpress_source.walks.walk import Walk
from tests.proof.guarantees import (
    BY_NAME,
    GUARANTEES,
    HISTORY,
    Right,
    history_markdown,
    markdown,
)
from tests.proof.happenings import FAR, HAPPENINGS, Happenings
from tests.proof.listing import LONG, Order, Trouble, expected_row
from tests.proof.machine import START
from tests.proof.warehouse import Warehouse

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "guarantees.md"
HOUR: Final = timedelta(hours=1)
DEEP: Final = "c50"
PAGES: Final = 12


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    yield
    active.deactivate()


@dataclass
class Lab:
    """60 chats, c1 the newest, 2 hours apart, in two accounts, 5 a page, walked once in full."""

    options: WorldOptions = field(default_factory=WorldOptions)
    order: Order = field(default_factory=Order)
    ahead: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.world = World(self.options, now=START)
        for number, kind in enumerate(("LINKEDIN", "WHATSAPP"), 1):
            self.world.connect_account(kind, id=f"a{number}")
        with self.world.batch():
            for number in range(1, 61):
                self.world.new_chat(
                    f"a{2 - number % 2}",
                    id=f"c{number:02}",
                    at=START - 2 * HOUR * (number - 1),
                    unread_count=number % 2,
                )
        self.warehouse = Warehouse(self.world, 5, self.ahead)
        self.run(full=True)
        self.minute()

    def run(self, *, full: bool = False, **changes: Any) -> list[Walk]:
        every = timedelta(0) if full else LONG
        asked = {**vars(self.order), "full_walk_every": every, **changes}
        return self.warehouse.run(Order(**asked))

    def minute(self) -> None:
        self.world.advance(timedelta(minutes=1), activity=0)

    def during(self, page: int, happen: Callable[[], object]) -> None:
        """Let it happen before a walk's page."""
        at = self.world.pages_served + page - 1

        def before_page(world: World) -> None:
            if world.pages_served == at:
                world.before_page = None
                self.minute()
                happen()

        self.world.before_page = before_page

    def wrong(self) -> set[str]:
        """Chats that are listed and aren't in the table, or whose row isn't what is listed."""
        listed = {chat["id"]: expected_row(chat) for chat in self.world.relist()}
        asked = {
            chat["id"]
            for chat in self.world.relist(
                unread=self.order.unread, account_type=self.order.account_type
            )
        }
        rows = self.warehouse.rows
        return {c for c in rows if rows[c] != listed.get(c)} | (asked - rows.keys())


# --- each row's story ----------------------------------------------------------------------------


def _message(lab: Lab) -> None:
    lab.world.receive_message(DEEP)


def _new(lab: Lab) -> None:
    lab.world.new_chat("a1")


def _tie(lab: Lab) -> None:
    for number in range(12):  # more than two pages of them
        lab.world.new_chat("a1", id=f"tie{number}", at=START)


def _late(lab: Lab) -> None:
    lab.world.advance(timedelta(hours=99), activity=0)
    for number in range(16):  # three pages above it, two of them below the watermark
        at = lab.world.now - timedelta(minutes=3 * number)
        lab.world.new_chat("a1", id=f"n{number:02}", at=at)
    lab.run()
    lab.world.new_chat("a2", at=lab.world.now - HOUR)


def _jump(lab: Lab) -> None:
    lab.during(2, lambda: lab.world.receive_message("c08"))
    (walk,) = lab.run()
    assert walk.pages == 2, "c08 was on the second page until it jumped to the first"


def _far(lab: Lab) -> None:
    lab.world.new_chat("a1", id="far", at=FAR)
    lab.run()
    lab.minute()
    for number in range(40, 54):  # three pages of them
        lab.world.receive_message(f"c{number}")


def _visible(lab: Lab) -> None:
    lab.world.connect_account("SLACK", id="a3")
    lab.world.new_chat("a3", id="a3-new")
    for number in range(20):
        lab.world.new_chat("a3", id=f"a3-{number}", at=START - HOUR * (90 + number))


def _healed(lab: Lab) -> None:
    lab.world.disconnect_account("a2")
    lab.world.receive_message(DEEP)  # of a2
    for _ in range(3):
        lab.world.advance(timedelta(days=2), activity=0)
        lab.world.receive_message("c49")  # of a1
        walks = lab.run()
        assert [walk.error is not None for walk in walks] == [False, True]
    lab.world.heal_account("a2")


def _failed(lab: Lab) -> None:
    _message(lab)
    before = dict(lab.warehouse.rows), dict(lab.warehouse.state)
    for full, request in ((False, 1), (True, 1), (True, 7), (True, PAGES)):
        with pytest.raises(PostpressUnavailableError):
            lab.run(full=full, trouble=Trouble(fails=request))
    assert before == (lab.warehouse.rows, lab.warehouse.state)


def _hidden(lab: Lab) -> None:
    lab.world.connect_account("SLACK", id="a3")
    lab.world.new_chat("a3", at=START - HOUR * 90)


def _in_mid_walk(lab: Lab) -> None:
    def connect() -> None:
        lab.world.connect_account("SLACK", id="a3")
        for hours in (21, 91):  # one behind the reader, one before it
            lab.world.new_chat("a3", at=START - HOUR * hours)

    lab.during(7, connect)
    lab.run(full=True)


def _skip(lab: Lab) -> None:
    lab.during(6, lambda: lab.world.delete_chat("c02"))
    lab.run(full=True)


def _fast(lab: Lab) -> None:
    lab.world.new_chat("a1", id="far", at=FAR)
    lab.run()
    lab.minute()
    for number in range(40, 60):
        lab.world.receive_message(f"c{number}")


def _empty(lab: Lab) -> None:
    for chat in lab.world.relist(account_id="a2"):
        lab.world.delete_chat(chat["id"])


def _mass(lab: Lab) -> None:
    for chat in lab.world.relist(account_id="a2")[5:15]:
        lab.world.delete_chat(chat["id"])


def _one_of_many(lab: Lab) -> None:
    for number in range(260):
        at = START - timedelta(days=99, hours=number)
        lab.world.new_chat("a2", id=f"many{number}", at=at)
    lab.run(full=True)
    lab.minute()
    lab.world.delete_chat("many99")


Story = Callable[[Lab], object]
UNREAD: Final = Order(unread=True)
WHATSAPP: Final = Order(account_type="WHATSAPP")
SWEPT: Final = Order(sweep=6 * HOUR)
BY_ACCOUNT: Final = Order(account_ids=("a1", "a2"))
STORIES: Final[dict[str, tuple[Story, dict[str, Any]]]] = {
    "message": (_message, {}),
    "new chat": (_new, {}),
    "tie": (_tie, {}),
    "late chat": (_late, {}),
    "jump": (_jump, {}),
    "dated 2099": (_far, {}),
    "visible account": (_visible, {}),
    "other order": (_message, {"options": WorldOptions(order="by_account")}),
    "healed account": (_healed, {"order": BY_ACCOUNT}),
    "failed run": (_failed, {}),
    "read, swept": (lambda lab: lab.world.read("c17"), {"order": SWEPT}),
    "unread, swept": (lambda lab: lab.world.mark_unread(DEEP), {"order": SWEPT}),
    "state": (lambda lab: lab.world.rename(DEEP, "renamed"), {}),
    "very late chat": (lambda lab: lab.world.new_chat("a1", at=START - 90 * HOUR), {}),
    "no timestamp": (lambda lab: lab.world.null_timestamp(DEEP), {}),
    "moved back": (lambda lab: lab.world.edit(DEEP, timestamp=START - 200 * HOUR), {}),
    "deleted": (lambda lab: lab.world.delete_chat(DEEP), {}),
    "hidden account": (_hidden, {}),
    "account in mid-walk": (_in_mid_walk, {}),
    "lucky order": (_message, {"options": WorldOptions(order="by_id")}),
    "offset skip": (_skip, {"options": WorldOptions(cursor="offset")}),
    "fast clock": (_fast, {"ahead": 3 * HOUR}),
    "empty account": (_empty, {}),
    "deleted under account_type": (lambda lab: lab.world.delete_chat(DEEP), {"order": WHATSAPP}),
    "one of many deleted": (_one_of_many, {}),
    "mass deletion": (_mass, {}),
    "deleted under a filter": (lambda lab: lab.world.delete_chat("c49"), {"order": UNREAD}),
    "left the filter": (lambda lab: lab.world.read("c49"), {"order": UNREAD}),
}
READS_ON: Final = {"other order", "healed account"}
ELSEWHERE: Final = {
    "new machine": "tests/test_incremental.py: test_a_new_machine_goes_on",
    "doubles": "tests/test_doubles.py: "
    "test_the_run_after_a_process_died_replaces_what_landed_twice",
    "in between": "tests/proof/test_guarantees.py: test_what_was_between_two_walks_is_nowhere",
}


@pytest.mark.parametrize("name", STORIES)
def test_the_table_is_right_when_it_was_promised_and_no_sooner(name: str) -> None:
    story, arguments = STORIES[name]
    lab, right = Lab(**arguments), BY_NAME[name].right
    assert not lab.wrong()
    story(lab)
    assert lab.wrong(), "nothing happened"

    walks = lab.run()
    assert bool(lab.wrong()) == (right is not Right.HEAD), lab.wrong()
    if name not in READS_ON:
        assert not walks[0].to_the_end
        assert walks[0].pages < PAGES / 2
    lab.minute()
    lab.run(full=True)
    assert bool(lab.wrong()) == (right in (Right.SECOND, Right.NEVER)), lab.wrong()
    lab.run(full=True)
    assert bool(lab.wrong()) == (right is Right.NEVER), lab.wrong()


@pytest.mark.parametrize(
    "name", sorted(n for n in HAPPENINGS if BY_NAME.get(n, BY_NAME["state"]) == BY_NAME["state"])
)
def test_state_of_every_kind_is_right_after_a_full_walk(name: str) -> None:
    lab = Lab()
    happenings = Happenings(lab.world)
    for pick in (49, 50, 51):
        HAPPENINGS[name](happenings, pick)
    lab.run(full=True)
    assert not lab.wrong()


def test_what_was_between_two_walks_is_nowhere() -> None:
    lab = Lab()
    for name in ("first", "second"):
        lab.world.rename("c01", name)
        lab.world.receive_message("c01")
    lab.run(full=True)
    assert not lab.wrong()
    assert "first" not in {row["name"] for row in lab.warehouse.rows.values()}


# --- the table -----------------------------------------------------------------------------------


def test_every_row_is_shown_by_a_test() -> None:
    assert STORIES.keys() | ELSEWHERE.keys() == BY_NAME.keys()
    assert not STORIES.keys() & ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        path, test = place.split(": ")
        assert f"def {test}(" in (DOCUMENT.parents[1] / path).read_text()


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(GUARANTEES)


def test_the_document_is_the_table() -> None:
    before, _, rest = DOCUMENT.read_text().partition("<!-- guarantees -->\n")
    table, end, _ = rest.partition("<!-- end of guarantees -->\n")
    assert before
    assert end
    assert table.strip() == markdown().strip()


def test_historys_promises_are_shown_by_tests_that_are_there() -> None:
    table = DOCUMENT.read_text().split("<!-- history -->")[1].split("<!-- end of history -->")[0]
    assert table.strip() == history_markdown().strip()
    for _, file, test in HISTORY:
        assert f"def {test}(" in (DOCUMENT.parents[1] / file).read_text(), test

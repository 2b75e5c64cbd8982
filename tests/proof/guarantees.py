"""What a walk guarantees, as data: the properties assert it, and docs/guarantees.md shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """When the table is right about something that happened, at the latest."""

    HEAD = "next run"
    FULL = "next full walk"
    SECOND = "second full walk"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One row of the table.

    Attributes:
        name: Short, unique; tests refer to it.
        happens: What happened, in one sentence.
        right: When the table is right about it; if nothing else is said, with the first run that
            begins after it, or with the first full walk that does.
        remark: How, or why not.
    """

    name: str
    happens: str
    right: Right
    remark: str = ""


GUARANTEES: Final = (
    # --- what a head walk alone brings -----------------------------------------------------------
    Guarantee("message", "A chat gets a message.", Right.HEAD),
    Guarantee("new chat", "A new chat is listed, dated now.", Right.HEAD),
    Guarantee(
        "tie",
        "A chat turns up that has exactly the watermark's timestamp.",
        Right.HEAD,
        "A head walk ends with a whole page below the watermark less `lookback`, not at it.",
    ),
    Guarantee(
        "late chat",
        "A chat turns up behind the newest one, by `lookback` at most.",
        Right.HEAD,
    ),
    Guarantee(
        "jump",
        "While a walk runs, a chat that it hasn't reached gets a message and jumps to the top.",
        Right.HEAD,
    ),
    Guarantee(
        "dated 2099",
        "A chat is dated in the future.",
        Right.HEAD,
        "The watermark is never later than the walk's start, so later chats are still met.",
    ),
    Guarantee(
        "visible account",
        "An account is connected, and one of its chats lies where a head walk reads.",
        Right.HEAD,
        "Its whole history is read in the same run, by a walk of its own.",
    ),
    Guarantee(
        "other order",
        "The list isn't newest first.",
        Right.HEAD,
        "Noticed: every walk reads to the end.",
    ),
    Guarantee(
        "healed account",
        "An account named in `account_id` couldn't be read for a while, and is well again.",
        Right.HEAD,
        "The others went on meanwhile; its own watermark stood, and its next walk is a full one.",
    ),
    Guarantee(
        "failed run",
        "A run dies, in mid-walk or after it, before its load is complete.",
        Right.HEAD,
        "Rows, ledger and state are one load: dlt ends it before anything new is read, or the run "
        "begins where the last good one ended.",
    ),
    Guarantee(
        "doubles",
        "A load is cut off between an insert and dlt's note of it, and dlt runs the insert again.",
        Right.HEAD,
        "That run looks for rows that are there twice, and a full walk lands in their place.",
    ),
    Guarantee(
        "new machine",
        "The pipeline's working folder is gone; only the destination is left.",
        Right.HEAD,
        "dlt restores the state from the destination.",
    ),
    Guarantee(
        "read, swept",
        "With `sweep`: a chat that was unread is read, and it lies no more than two pages below "
        "where the walk would end.",
        Right.HEAD,
        "The list of unread chats shows it no longer, so the walk reads on. What lies further down "
        "waits for a full walk, which `full_walk_at_most_every` lets come sooner.",
    ),
    Guarantee(
        "unread, swept",
        "With `sweep`: a chat is marked unread, or turns up unread, wherever it lies.",
        Right.HEAD,
        "Of up to eight pages of unread chats.",
    ),
    # --- what needs a full walk ------------------------------------------------------------------
    Guarantee(
        "state",
        "A chat is read, marked unread, archived, pinned, muted, renamed, refiled, or any other "
        "field of it changes, without activity.",
        Right.FULL,
        "A head walk brings it by chance: where the chat lies on a page that it reads anyway.",
    ),
    Guarantee(
        "very late chat",
        "A chat turns up that is further behind the newest one than `lookback`: an account's "
        "history that trickles in, for example.",
        Right.FULL,
    ),
    Guarantee(
        "no timestamp",
        "A chat turns up without a timestamp, or loses it.",
        Right.FULL,
        "Nobody knows where such a chat stands in the list.",
    ),
    Guarantee("moved back", "A chat's timestamp becomes older.", Right.FULL),
    Guarantee(
        "deleted",
        "A chat is deleted, while its account lists others, up to 250.",
        Right.FULL,
        "That walk looks at the account a second time, in one page, before the row goes. Where the "
        "destination can delete.",
    ),
    Guarantee(
        "one of many deleted",
        "A chat is deleted, and its account lists more than 250.",
        Right.SECOND,
        "While several pages are read, a chat may move from one that is still to come to one that "
        "has been read.",
    ),
    Guarantee(
        "deleted under account_type",
        "A chat is deleted, and all walks have `account_type`.",
        Right.FULL,
        "The second look asks for the whole account, whatever the type.",
    ),
    Guarantee(
        "mass deletion",
        "More than a tenth of an account's chats are deleted, and not just one.",
        Right.SECOND,
        "The first one says so, in the log and in `chat_walks.chats_missing`; the rows go with the "
        "second, if none of the chats has come back meanwhile.",
    ),
    Guarantee(
        "hidden account",
        "An account is connected, or comes back into a list without `account_id`, and none of its "
        "chats lies where a head walk reads, or the account was read before.",
        Right.FULL,
        "What came while it was away can't be told from what is known.",
    ),
    Guarantee(
        "account in mid-walk",
        "An account is connected while a full walk runs.",
        Right.FULL,
        "The walk may have met some of its chats and not the others.",
    ),
    Guarantee(
        "lucky order",
        "The list is in another order, yet all that the last full walk read came newest first.",
        Right.FULL,
        "The order is trusted after a full walk with 17 or more different timestamps, all falling.",
    ),
    Guarantee(
        "offset skip",
        "The API's cursor counts rows, and a chat above the reader's place vanishes in mid-walk.",
        Right.FULL,
        "The walk skips a chat, which the second look lists: it stays.",
    ),
    Guarantee(
        "fast clock",
        "The clock of this machine is ahead by more than `lookback`, and a chat is dated in the "
        "future.",
        Right.FULL,
        "The watermark is then later than what the API can know.",
    ),
    # --- what isn't guaranteed at all ------------------------------------------------------------
    Guarantee(
        "empty account",
        "An account is removed, or its last chat is deleted.",
        Right.NEVER,
        "Its rows stay: an account that lists nothing may only be away.",
    ),
    Guarantee(
        "deleted under a filter",
        "A chat is deleted, and all walks have `unread`, `before`, `after` or `initial_value`.",
        Right.NEVER,
        "Such a list doesn't show whole accounts. A full walk without them deletes the row.",
    ),
    Guarantee(
        "left the filter",
        "A chat leaves the list of a filter: it is read, and all walks have `unread=True`.",
        Right.NEVER,
        "Its row stays as it was last listed. A walk that lists it again brings it up to date.",
    ),
    Guarantee(
        "in between",
        "A chat changes twice between two walks.",
        Right.NEVER,
        "The table is what the API lists, not what it listed.",
    ),
)

BY_NAME: Final = {guarantee.name: guarantee for guarantee in GUARANTEES}


def markdown() -> str:
    """The table as docs/guarantees.md has it."""
    rows = ["| What happens | The table is right after | |", "|---|---|---|"]
    rows += [f"| {g.happens} | {g.right} | {g.remark} |" for g in GUARANTEES]
    return "\n".join(rows) + "\n"


# Of `chats_history`: what it promises, and the test that shows it.
HISTORY: Final = (
    (
        "The versions that held at the start of a run are what `chats` was after it.",
        "tests/proof/test_history.py",
        "test_what_history_says_is_true",
    ),
    (
        "So on every destination; on files and lakes by a documented view.",
        "tests/destinations/test_history.py",
        "test_every_past_run_is_in_history",
    ),
    (
        "A change lies between its two looks: the old value was shown, and later the new one; "
        "likewise a chat that went.",
        "tests/proof/test_history.py",
        "test_what_history_says_is_true",
    ),
    (
        "A value that comes back, and a chat that does, are versions of their own.",
        "tests/test_history.py",
        "test_what_was_and_is_again_and_who_was_gone_and_is_back_are_versions_of_their_own",
    ),
    (
        "A load that is cut off and run again leaves one current version a chat, after the next "
        "run.",
        "tests/test_history.py",
        "test_the_run_after_a_lost_acknowledgement_parts_what_landed_twice",
    ),
    (
        "So do two runs that were read before either had landed, and two pipelines that begin at "
        "once.",
        "tests/test_history.py",
        "test_two_pipelines_that_begin_at_once_become_one_history",
    ),
    (
        "A run that history didn't get whole (`history = false`, a filter or limit on the "
        "resource) is no look.",
        "tests/test_history.py",
        "test_off_and_on_again_nothing_is_told_of_the_time_between",
    ),
    (
        "Lost state, a new machine, a dropped table, a column that is new: no change is told that "
        "wasn't one.",
        "tests/test_history.py",
        "test_history_that_was_dropped_begins_anew",
    ),
    (
        "No version ends before it began, though the clock be set back.",
        "tests/test_history.py",
        "test_a_clock_that_is_set_back_leaves_the_versions_in_order_and_no_trace",
    ),
    (
        "`history_keep` deletes versions that ended before it, and no current one.",
        "tests/test_history.py",
        "test_only_versions_that_were_retired_long_ago_go_and_by_themselves",
    ),
)


def history_markdown() -> str:
    """The table of history's promises, as the document has it."""
    rows = ["| Promise | Shown by |", "|---|---|"]
    rows += [f"| {promise} | `{file}` |" for promise, file, _ in HISTORY]
    return "\n".join(rows) + "\n"

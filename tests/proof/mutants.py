"""Breaks of the package, each of which the proof must find: the proof, proved."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests import test_state
from tests.proof import inboxes, test_complete, test_kept, test_spool, test_sweep, test_walks
from tests.proof.breaking import Mutant, promise
from tests.proof.mutants_of_landing import OF_LANDING

MUTANTS: Final = (
    # --- I1, I5: what is gone ----------------------------------------------------------------
    Mutant(
        "walks.gone:judge",
        "if second is None:\n        return Verdict(kept=evidence.missing)",
        "second = second or SecondLook()",
        partial(test_kept.test_a_sick_account_that_is_listed_in_part_keeps_its_rows, "first"),
    ),
    Mutant(
        "walks.gone:judge",
        "second.lost or ",
        "",
        test_walks.test_a_chat_that_is_deleted_while_a_full_walk_runs_is_deleted_by_the_next_one,
    ),
    Mutant(
        "walks.gone:judge",
        "evidence.missing - second.listed",
        "evidence.missing",
        promise("offset skip"),
    ),
    Mutant("walks.gone:judge", "len(missing - again) > plausible(evidence.rows)", "()"),
    Mutant(
        "walks.gone:judge",
        "not second.at_once or",
        "",
        test_kept.test_a_look_of_several_pages_is_no_proof_by_itself,
    ),
    Mutant(
        "walks.gone:judge",
        "len(again) < before.count",
        "()",
        partial(test_kept.test_an_account_that_comes_back_bit_by_bit_keeps_its_rows, 40),
    ),
    Mutant(
        "walks.gone:judge",
        "if before and chat_id in before",
        "if before",
        test_kept.test_a_loss_of_as_many_others_is_no_second_full_walk_that_agrees,
    ),
    Mutant(
        "walks.reading:_look",
        "Filters(limit=MAX_LIMIT)",
        "walk.filters",
        test_kept.test_a_full_walk_of_one_type_deletes_no_chat_of_another_type_or_of_none,
    ),
    Mutant(
        "walks.reading:_look",
        "walk.first_page or walk.filters.limit",
        "walk.filters.limit",
        partial(test_kept.test_the_pages_of_a_second_look_end_elsewhere, 250, 15),
    ),
    Mutant(
        "walks.remember:returned",
        "if not (",
        "if True or (",
        partial(
            test_kept.test_what_was_listed_in_between_is_missing_for_the_first_time_again,
            inboxes.HEAD,
        ),
    ),
    Mutant(
        "walks.watermark:shared_accounts",
        "o.partition",
        "scope.partition",
        test_state.test_an_account_is_shared_while_another_workspace_lists_it_and_a_week_longer,
    ),
    Mutant("walks.reading:_compare", "not look.to_the_end", "True"),
    # --- I2: complete ------------------------------------------------------------------------
    Mutant("walks.walk:Walk.complete", " and not self.doubt", ""),
    Mutant("arguments:Filters.unheeded", "chat.account_id != account_id", "False"),
    Mutant("arguments:Filters.unheeded", "chat.account_type != self.account_type", "False"),
    Mutant(
        "arguments:Filters.unheeded",
        "bool(chat.unread_count) is not self.unread",
        "False",
        partial(
            test_complete.test_a_filter_that_is_not_heeded_is_said_and_never_complete,
            "ignored_filters",
            "unread",
        ),
    ),
    Mutant("walks.reader:Reader._read_pages", "walk.repeats += old and", "old and"),
    Mutant(
        "walks.reader:Reader._read_restarting",
        "walk.doubt if walk.repeats else",
        '"" if walk.repeats else',
        test_complete.test_a_page_that_repeats_by_chance_costs_a_second_try,
    ),
    Mutant("walks.remember:_memory_after", "if not walk.complete:", "if walk.error:"),
    Mutant("sync:_refuse_holes", "if walk.error:", "if not walks:"),
    Mutant("chats.tables:in_window", "pc.or_kleene(keep, pc.is_null(timestamp))", "keep"),
    Mutant("chats.records:_whole", "_WHOLE_NUMBER.fullmatch(value)", "not value"),
    # --- the spool: each chat as it was last seen, of walks that count -----------------------
    *(
        Mutant(
            f"walks.spool:Spool.{function}",
            old,
            new,
            test_spool.test_the_same_of_long_histories,
        )
        for function, old, new in (
            ("_kept", "bytes(rows)", "bytes([1]) * rows"),
            ("_kept", "if kept[row]:", "if True:"),
            ("_kept", "last.get(chat_id, row)", "row"),
            ("_kept", "kept[row], last[chat_id] = 1, row", "last[chat_id] = row"),
            ("_sort", "self._ends[-1] - len(ids)", "0"),
            ("_keys_of", "number != self._keys_read[0]", "self._keys_read[0] < 0"),
            ("_write", "len(chats) - first", "len(chats)"),
            ("tables", "self._worker.submit(self._sort)", "self._adding"),
            ("find", "len(found) == len(wanted)", "found"),
        )
    ),
    # --- the sweep: it says where to read, and no more ---------------------------------------
    Mutant(
        "walks.reader:_may_stop",
        "bool(walk.unasked) or ",
        "",
        partial(test_sweep.test_a_filter_that_is_not_heeded_costs_a_request, False),
    ),
    Mutant(
        "walks.reader:_may_stop",
        " or walk.pages >= MOST_SWEEP_PAGES",
        "",
        test_sweep.test_an_inbox_that_nobody_reads_is_swept_so_far_and_no_further,
    ),
    Mutant(
        "walks.reader:Reader.sweep",
        "except PostpressError",
        "except ZeroDivisionError",
        partial(test_sweep.test_a_sweep_that_fails_costs_nothing_but_itself, 3),
    ),
    Mutant(
        "walks.sweep:_listed_to",
        "len(ids.unique()) < sweep.chats",
        "False",
        test_sweep.test_a_filter_that_is_heeded_on_the_first_page_only_is_no_evidence,
    ),
    Mutant(
        "walks.sweep:_listed_to",
        "if sweep.to_the_end:",
        "if True:",
        test_sweep.test_an_inbox_that_nobody_reads_is_swept_so_far_and_no_further,
    ),
    Mutant(
        "walks.sweep:Sweeps._missing",
        "chat.account_id in there",
        "True",
        test_sweep.test_an_account_that_lists_nothing_may_be_away,
    ),
    Mutant(
        "walks.sweep:Sweeps.note_seen",
        "if not was and",
        "if False and",
        partial(
            test_sweep.test_it_deletes_nothing_invents_nothing_and_says_what_is_so, {}, False, 0
        ),
    ),
    Mutant(
        "walks.sweep:Budget.allows",
        "now - last >= self.at_most_every",
        "True",
        test_sweep.test_what_is_read_far_down_calls_for_a_full_walk_of_its_account_when_one_may_be,
    ),
    Mutant(
        "walks.remember:memories_after",
        "{a: now for a in first.owing if a in walked}",
        "{}",
        test_sweep.test_what_is_read_far_down_calls_for_a_full_walk_of_its_account_when_one_may_be,
    ),
    Mutant(
        "walks.sweep:_accounts_to_walk",
        "pages + sizes[account] <= left or not (chosen or recent)",
        "True",
        test_sweep.test_the_account_to_which_most_is_owed_comes_first_and_all_cost_no_more_than_a_share,
    ),
    Mutant(
        "walks.reading:Reading._judge",
        "for walk in (*walks, *swept) if",
        "for walk in walks if",
        test_sweep.test_what_a_sweep_has_listed_is_not_deleted_by_the_same_run,
    ),
    # --- I3: isolated ------------------------------------------------------------------------
    Mutant(
        "walks.reader:Reader._is_the_accounts_own",
        "self._failures += 1",
        "return isinstance(error, PostpressAccountError)",
    ),
    Mutant("api.client:PostpressClient.get_page", "{**query, **alone}", "alone"),
    Mutant(
        "api.client:PostpressClient.get_page",
        "except CursorRefusedError:\n            pass",
        "except ZeroDivisionError:\n            pass",
    ),
    Mutant(
        "walks.remember:remember_failure",
        "full_walk_at=None",
        "",
        test_kept.test_an_account_that_was_sick_is_read_in_full_when_it_is_well,
    ),
    # --- I6: live ----------------------------------------------------------------------------
    Mutant("walks.remember:remember", "min(newest, now)", "newest", promise("dated 2099")),
    Mutant(
        "walks.plan:plan_walk",
        "_before(memory.watermark, lookback)",
        "memory.watermark",
        promise("late chat"),
    ),
    Mutant("walks.plan:plan_walk", "not memory.newest_first or ", "", promise("other order")),
    Mutant(
        "walks.plan:accounts_to_walk",
        "set(seen) - before.accounts - before.owed",
        "()",
        promise("visible account"),
    ),
    Mutant(
        "arguments:Filters.scope",
        "urlencode({key: value for key, value in narrowing if value is not None})",
        "str(len([*narrowing]))",
        test_complete.test_nine_filter_sets_in_turn_walk_in_full_once_each,
    ),
    Mutant(
        "walks.plan:_why_full",
        "memory.since is not None and (start is None or start < memory.since)",
        "memory.since != start",
        test_complete.test_a_start_date_that_moves_with_the_clock_walks_in_full_once,
    ),
    *OF_LANDING,
)

"""Which property proves what, and where it is."""

from __future__ import annotations

from typing import Final

CLAIMS: Final = (
    (
        "Kept, complete, isolated, gone: in every world, after every run",
        "`tests/proof/judge.py`, told by `history.py`",
    ),
    (
        "Live: when the faults stop, all is right after two full walks, and then none comes "
        "before it is due",
        "`tests/proof/history.py`: `end_well`",
    ),
    (
        "Live: after a death all is right within two runs, and no full walk comes beside those due",
        "`tests/proof/crash.py`: `_go_on`",
    ),
    (
        "Live: full walks by the clock, sweeps within their budget",
        "`tests/proof/test_walks.py`: `test_a_full_walk_comes_by_itself_however_many_head_walks_"
        "went_before`; `tests/proof/test_sweep.py`: `test_full_walks_come_no_oftener_than_the_"
        "budget_says_nor_later_than_they_are_due`",
    ),
    (
        "Two at once",
        "`tests/test_history.py`: `test_two_pipelines_that_begin_at_once_become_one_history`, "
        "`test_two_that_were_read_before_either_had_landed_become_one_history`, "
        "`test_a_package_that_is_loaded_late_tells_when_it_was_read`",
    ),
    (
        "Time: state after 400 days, schema and state under a clock that is set ahead and back, "
        "five days of pause",
        "`tests/proof/test_one_process.py`: `test_four_hundred_days_leave_no_more_state_than_ten`, "
        "`test_time_that_passes_and_is_set_back_leaves_schema_and_state_as_they_are`",
    ),
    (
        "Time: a clock that is set back or ahead between runs, in three of ten new worlds",
        "`tests/proof/seeds.py`: `Skewed`",
    ),
    (
        "Upgrades: the state of each earlier format is read and continued",
        "`tests/test_state.py`: `test_what_the_first_release_remembered_is_read`, "
        "`test_a_pipeline_goes_on_from_the_state_of_the_first_release`; `tests/test_history.py`: "
        "`test_history_begins_over_tables_that_are_there`",
    ),
    (
        "Metamorphic: another page size, order of accounts, or order in which walks side by side "
        "go on gives the same tables and history",
        "`tests/proof/test_one_process.py`: `test_page_size_interleaving_and_the_order_of_"
        "accounts_change_no_table`",
    ),
    (
        "Metamorphic: another destination",
        "`tests/destinations/test_history.py`: `test_every_past_run_is_in_history`",
    ),
)

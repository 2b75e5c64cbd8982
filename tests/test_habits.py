"""What users of dlt are used to: it works, or it is refused in one sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dlt
import pyarrow.compute as pc
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressArgumentError, postpress_source
from postpress_source.sandbox import Sandbox, World
from tests.proof.landed import is_equal, select
from tests.proof.test_pipeline import cause_of

pytestmark = pytest.mark.slow

FULL = timedelta(0)


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    return postpress_source("pp_live_of_the_tests", sandbox.url, limit=20, **arguments)


def ids(pipeline: dlt.Pipeline) -> set[str]:
    return {row["id"] for row in select(pipeline, "SELECT id FROM chats")}


@pytest.mark.parametrize("strategy", ["cdc", "delete-insert", "upsert"])
def test_a_merge_of_the_users_choice_deletes_nothing_that_a_head_walk_did_not_read(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, strategy: str
) -> None:
    for _ in range(3):
        disposition: Any = {"disposition": "merge", "strategy": strategy}
        pipeline.run(source(sandbox), write_disposition=disposition)
        assert is_equal(pipeline, world)
        world.receive_message(world.chat_ids[100])


@pytest.mark.parametrize("strategy", ["scd2", "insert-only"])
def test_a_merge_that_would_be_wrong_is_refused_before_any_request(
    sandbox: Sandbox, pipeline: dlt.Pipeline, strategy: str
) -> None:
    disposition: Any = {"disposition": "merge", "strategy": strategy}
    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(source(sandbox), write_disposition=disposition)
    assert isinstance(cause_of(failed.value), PostpressArgumentError)
    assert strategy in str(failed.value)
    assert not sandbox.requests
    assert not pipeline.has_pending_data


@pytest.mark.parametrize("items", [1, 2, 3, 4])
def test_a_limit_loads_less_and_takes_nothing_away(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, items: int
) -> None:
    pipeline.run(source(sandbox))
    pipeline.run(source(sandbox, full_walk_every=FULL).add_limit(items))
    assert is_equal(pipeline, world)


def test_rows_that_were_appended_once_are_one_again_after_a_full_walk(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    pipeline.run(source(sandbox), write_disposition="append")
    pipeline.run(source(sandbox, full_walk_every=FULL))
    assert is_equal(pipeline, world)


def test_what_is_gone_goes_past_the_users_filter_and_mask(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    def few(table: Any) -> Any:
        if "account_type" not in table.column_names:
            return table
        names = table.column_names
        masked = table.set_column(names.index("extra"), "extra", [["masked"] * table.num_rows])
        return masked.filter(pc.equal(table["account_type"], kept))

    kept = next(iter(world.accounts.values())).type
    filtered = source(sandbox, full_walk_every=FULL)
    filtered.chats.add_map(few)
    pipeline.run(filtered)
    of_kept = [chat["id"] for chat in world.relist(account_type=kept)]
    assert ids(pipeline) == set(of_kept)
    world.delete_chat(of_kept[5])
    pipeline.run(filtered)
    assert ids(pipeline) == set(of_kept) - {of_kept[5]}
    quiet = source(sandbox)
    quiet.chats.add_map(few)
    pipeline.run(quiet)
    pipeline.run(quiet)
    kinds = select(pipeline, "SELECT kind FROM chat_walks ORDER BY started_at DESC LIMIT 2")
    assert [row["kind"] for row in kinds] == ["head", "head"], "rows that are kept out aren't lost"

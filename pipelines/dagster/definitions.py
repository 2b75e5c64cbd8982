"""The PostPress inbox in your warehouse, by Dagster: an asset, an hourly schedule, and a check.

    pip install 'postpress-source[postgres]' dagster-dlt dagster-webserver
    dagster dev -f definitions.py

What it needs is dlt's own settings: `SOURCES__POSTPRESS__API_KEY`, and the destination's, such as
`DESTINATION__POSTGRES__CREDENTIALS`; `POSTPRESS_DESTINATION` names another one. State is in the
destination, so a run may happen on any machine. Loading this file asks nobody for anything.

So that no two runs load at once, `dagster instance concurrency set postpress 1`; so that a run that
failed is tried again, `run_retries: {enabled: true}` in dagster.yaml.
"""

# No `from __future__ import annotations`: Dagster reads the annotations as they are.
import os
from collections.abc import Iterator
from typing import Any

import dlt
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetSelection,
    AssetSpec,
    Definitions,
    ScheduleDefinition,
    asset_check,
    define_asset_job,
)
from dagster_dlt import DagsterDltResource, DagsterDltTranslator, dlt_assets
from dagster_dlt.translator import DltResourceTranslatorData

from postpress_source import postpress_source

CHATS = AssetKey(["postpress", "chats"])
"""What dagster-dbt calls `source('postpress', 'chats')`, so that the models of `dbt/` follow it."""

PIPELINE = dlt.pipeline(
    "postpress",
    destination=os.environ.get("POSTPRESS_DESTINATION", "postgres"),
    dataset_name="postpress",
)
LAST_WALKS = """
SELECT count(*) FROM chat_walks
WHERE NOT complete AND _dlt_load_id = (SELECT max(_dlt_load_id) FROM chat_walks)
"""


class Keys(DagsterDltTranslator):  # type: ignore[misc, unused-ignore]  # Any without Dagster
    """Calls the asset `CHATS`, which depends on nothing that Dagster knows."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The spec of the resource `chats`."""
        return super().get_asset_spec(data).replace_attributes(key=CHATS, deps=[])


@dlt_assets(
    dlt_source=postpress_source("asked-for-when-it-runs"),  # its shape is wanted here, not its key
    dlt_pipeline=PIPELINE,
    dagster_dlt_translator=Keys(),
    group_name="postpress",
    pool="postpress",
)
def inbox(context: AssetExecutionContext, loader: DagsterDltResource) -> Iterator[Any]:
    """Load what is new: `chats`, its lists, its history, and the ledger `chat_walks`."""
    yield from loader.run(context=context, dlt_source=postpress_source())


@asset_check(asset=CHATS)
def every_account_was_read() -> AssetCheckResult:
    """Warn of accounts that the last load skipped; `chat_walks.next_step` says what to do."""
    with PIPELINE.sql_client() as client:
        ((skipped,),) = client.execute_sql(LAST_WALKS) or ()
    return AssetCheckResult(
        passed=not skipped, severity=AssetCheckSeverity.WARN, metadata={"skipped": skipped}
    )


defs = Definitions(
    assets=[inbox],
    asset_checks=[every_account_was_read],
    resources={"loader": DagsterDltResource()},
    schedules=[
        ScheduleDefinition(
            job=define_asset_job(
                "postpress_inbox",
                selection=AssetSelection.assets(CHATS),
                tags={"dagster/max_retries": "3"},
            ),
            cron_schedule="7 * * * *",  # not on the hour, when everybody asks
        )
    ],
)

"""What the destination says that it can do. To be used inside the running resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dlt.common.configuration.container import Container
from dlt.common.data_writers.writers import resolve_best_writer_spec
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.extract import DltResource

_REFUSES_NUL: Final = frozenset({"postgres", "redshift"})
"""SQL dialects whose text can't hold the character NUL: the load would fail for good."""


def refuses_nul() -> bool:
    """Whether the destination's text can't hold the character NUL."""
    capabilities = capabilities_of_destination()
    return capabilities is not None and capabilities.sqlglot_dialect in _REFUSES_NUL


def csv_empties_texts() -> bool:
    """Whether empty texts of CSV files become null there (dlt 1.31, PostgresCsvCopyJob)."""
    capabilities = capabilities_of_destination()
    return capabilities is not None and capabilities.sqlglot_dialect == "postgres"


def merge_strategies(resource: DltResource) -> list[str] | None:
    """What the destination's merge offers for the resource's table; None without a destination."""
    capabilities = capabilities_of_destination()
    if capabilities is None:
        return None
    supported = list(capabilities.supported_merge_strategies or ())
    select: Callable[..., Any] | None = capabilities.merge_strategies_selector
    if select is not None:
        supported = list(select(supported, table_schema=resource.compute_table_schema()))
    return [str(strategy) for strategy in supported]


def capabilities_of_destination() -> DestinationCapabilitiesContext | None:
    """What the pipeline's destination can do; None without one."""
    container = Container()
    if DestinationCapabilitiesContext not in container:
        return None
    return container[DestinationCapabilitiesContext]


def file_formats(resource: DltResource) -> tuple[str, str] | None:
    """The kind of files for tables with rows and without; None: leave it to dlt.

    It isn't left to dlt where it chooses CSV, by way of which every empty text becomes null (dlt
    1.31, `PostgresCsvCopyJob`). PostgreSQL takes Parquet where the driver of the extra `postgres`
    is installed, though none without rows (dlt 1.31, `AdbcParquetCopyJob`), and SQL inserts else.
    """
    capabilities = capabilities_of_destination()
    table = resource.compute_table_schema()
    if capabilities is None or "file_format" in table:
        return None
    preferred = capabilities.preferred_loader_file_format
    supported = capabilities.supported_loader_file_formats
    select = capabilities.loader_file_format_selector
    if select is not None:
        preferred, supported = select(preferred, list(supported), table_schema=table)
    if "csv" not in supported:
        return None
    if resolve_best_writer_spec("arrow", supported, preferred).file_format != "csv":
        return None
    return ("parquet" if "parquet" in supported else preferred), preferred


def file_format(resource: DltResource) -> str | None:
    """What files the user wants, or the destination prefers."""
    capabilities = capabilities_of_destination()
    preferred = capabilities.preferred_loader_file_format if capabilities else None
    return resource.compute_table_schema().get("file_format") or preferred

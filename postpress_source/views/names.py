"""What people call the accounts: the setting that says it, and the SQL that knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dlt.common.configuration import configspec, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration

from postpress_source.errors import PostpressArgumentError


@configspec
class AccountNames(BaseConfiguration):
    """The table `[sources.postpress.account_names]`: account id -> name.

    In the environment it is a JSON object.
    """

    account_names: Any | None = None


def account_names() -> dict[str, str]:
    """Account id -> what people call it, as the settings say; empty where they don't.

    Raises:
        PostpressArgumentError: The setting isn't a table of texts.
    """
    names = resolve_configuration(AccountNames(), sections=("sources", "postpress")).account_names
    return check_account_names({} if names is None else names)


def check_account_names(names: Any) -> dict[str, str]:
    """The names, or a `PostpressArgumentError` that says what is allowed."""
    if isinstance(names, str):  # from the environment
        try:
            names = json.loads(names)
        except ValueError:
            names = None
    if isinstance(names, Mapping):
        texts = {str(account): name for account, name in names.items()}
        if all(isinstance(name, str) and name.strip() for name in texts.values()):
            return {account: " ".join(name.split()) for account, name in texts.items()}
    raise PostpressArgumentError(
        "account_names is not allowed as it is",
        next_step="account_names must be a table of names, none empty, such as\n"
        "    [sources.postpress.account_names]\n"
        '    acc_1 = "Sales DE"\n'
        "in .dlt/config.toml, or a JSON object in SOURCES__POSTPRESS__ACCOUNT_NAMES.",
    )


def with_names(statement: str, names: Mapping[str, str]) -> str:
    """The statement of the view `account_names` with names in it."""
    if not names:
        return statement
    rows = ", ".join(f"({_text(account)}, {_text(name)})" for account, name in names.items())
    return statement.replace("(NULL, NULL)", rows)


def _text(value: str) -> str:
    quoted = value.replace("\0", "").replace("'", "''")
    return f"'{quoted}'"

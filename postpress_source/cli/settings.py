"""What to do about settings and packages that are missing, in the form of the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from postpress_source.cli.failures import ExitCode, Failure, first_lines
from postpress_source.cli.guess import destinations, did_you_mean

_NO_KEY = """\
Give it in one of three ways:
1. in the environment:    export SOURCES__POSTPRESS__API_KEY=pp_live_...
2. in .dlt/secrets.toml, here or in your home directory:
       [sources.postpress]
       api_key = "pp_live_..."
3. in a script of yours:  postpress_source(api_key=...)
No key at hand? Try it on a made-up inbox: postpress run --sandbox"""

# Module -> the extra of this package that brings it.
EXTRAS: Final = {
    "psycopg2": "postgres",
    "sqlalchemy": "sqlite",
    "pymysql": "mariadb",
    "deltalake": "delta",
    "pyiceberg": "iceberg",
    "s3fs": "s3",
}
_OF_DLT: Final = {
    "postgres": "postgres",
    "sqlalchemy": "sqlite",
    "sql_database": "sqlite",
    "deltalake": "delta",
    "pyiceberg": "iceberg",
    "s3": "s3",
    "ducklake": "ducklake",
}


def of_settings(error: BaseException) -> Failure | None:
    """The failure of an exception that is about settings or packages; None of any other."""
    from dlt.common.configuration.exceptions import (
        ConfigFieldMissingException,
        ConfigurationException,
    )
    from dlt.common.exceptions import MissingDependencyException

    if isinstance(error, ConfigFieldMissingException):
        if error.spec_name == "PostpressArguments" and "api_key" in error.fields:
            return Failure("NoKey", "There is no API key.", ExitCode.MEND, next_step=_NO_KEY)
        return _missing(list(_keys(error.traces)))
    if isinstance(error, MissingDependencyException):
        return _not_installed([_ours(name) for name in error.dependencies])
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return _not_installed([f"postpress-source[{EXTRAS[error.name]}]"])
    if isinstance(error, ConfigurationException):
        return Failure(
            type(error).__name__,
            first_lines(str(error)),
            ExitCode.MEND,
            next_step="Mend the setting, in the environment or in .dlt/.",
        )
    return None


def of_destination_name(error: BaseException) -> Failure | None:
    """The failure of a destination that dlt doesn't know."""
    from dlt.common.destination.exceptions import (
        InvalidDestinationReference,
        UnknownDestinationModule,
    )

    if not isinstance(error, InvalidDestinationReference | UnknownDestinationModule):
        return None
    named = str(getattr(error, "ref", ""))
    return Failure(
        "NoDestination",
        f"dlt has no destination {named!r:.80}." if named else "dlt has no such destination.",
        ExitCode.USAGE,
        next_step=did_you_mean(named.lower(), destinations())
        + "Name one of dlt's, such as duckdb, filesystem or postgres, or a class of yours as "
        "package.module.name.",
    )


def _missing(keys: list[str]) -> Failure:
    """Settings that are missing, as a block of .dlt/secrets.toml and as variables."""
    sections: dict[str, list[str]] = {}
    for key in keys:
        *parts, name = key.lower().split("__")
        sections.setdefault(".".join(parts), []).append(name)
    lines = ["Write into .dlt/secrets.toml, here or in your home directory:"]
    for section, fields in sections.items():
        lines += [f"    [{section}]", *(f'    {field} = "..."' for field in fields)]
    lines += ["or set in the environment:", *(f"    {key}" for key in keys)]
    lines += [f"It also needs: {install}" for install in _installs(sections)]
    return Failure("NoSetting", "Settings are missing.", ExitCode.MEND, next_step="\n".join(lines))


def _installs(sections: dict[str, list[str]]) -> Iterator[str]:
    """What the destination of the settings needs besides, if it isn't installed."""
    for module, extra in EXTRAS.items():
        if any(extra in section.split(".") for section in sections) and not _is_there(module):
            yield f"pip install 'postpress-source[{extra}]'"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _keys(traces: Any) -> Iterator[str]:
    """The variable that gives each missing field: the destination's or source's own, no wider."""
    for of_field in traces.values():
        for nested in (trace.traces for trace in of_field if hasattr(trace, "traces")):
            yield from _keys(nested)
        single = [trace for trace in of_field if hasattr(trace, "provider")]
        tried = [trace.key for trace in single if "Environment" in trace.provider]
        own = [key for key in tried if re.match(r"(DESTINATION|SOURCES)__\w+?__", key)]
        yield from [max(own, key=len)] if own else tried[-1:]


def _ours(dependency: str) -> str:
    """The extra of this package that brings what dlt names as its own extra."""
    extra = re.search(r"^dlt\[(\w+)\]", dependency)
    return f"postpress-source[{_OF_DLT[extra[1]]}]" if extra and extra[1] in _OF_DLT else dependency


def _not_installed(packages: list[str]) -> Failure:
    return Failure(
        "NotInstalled",
        "Packages that this destination needs aren't installed.",
        ExitCode.MEND,
        next_step="pip install " + " ".join(f"'{name}'" for name in packages),
    )

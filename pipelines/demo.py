"""Load a made-up inbox, the same each time, and say what landed: `make demo`.

It is `postpress run --sandbox` with the clock stopped: into the same file, which no true chat ever
goes to, with the same working folder. `postpress status --sandbox` tells more of it.
"""

from datetime import UTC, datetime

from pipelines.chats_to_duckdb import report
from postpress_source import postpress_source
from postpress_source.cli.choice import Choice
from postpress_source.cli.overview import overview_of
from postpress_source.cli.report import default_path, write_page
from postpress_source.cli.sla import Sla
from postpress_source.cli.warehouse import location, open_pipeline
from postpress_source.sandbox import generate_world, serve

MORNING = datetime(2026, 5, 17, 9, tzinfo=UTC)  # the same inbox whenever it is looked at


def main() -> None:
    """Load once, in the place of any demo before, and say what landed."""
    pipeline = open_pipeline(Choice(sandbox=True)).drop()
    with serve(generate_world(chats=2_000, accounts=4, seed=7, now=MORNING)) as server:
        pipeline.run(postpress_source("pp_live_sandbox", server.url), refresh="drop_sources")
    report(pipeline, location(pipeline))
    overview = overview_of(pipeline, Sla(), {}, MORNING, stopped=True)
    write_page(overview, Sla(), page := default_path(Choice(sandbox=True)))
    print(f"The same as a page: {page}")


if __name__ == "__main__":
    main()

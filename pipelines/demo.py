"""Load a made-up inbox, the same each time, and say what landed: `make demo`.

It is `postpress run --sandbox` of another inbox: into the same file, which no true chat ever goes
to, with the same working folder. `postpress status --sandbox` tells more of it.
"""

from datetime import UTC, datetime, timedelta

from pipelines.chats_to_duckdb import report
from postpress_source import postpress_source
from postpress_source.cli.choice import Choice
from postpress_source.cli.overview import look
from postpress_source.cli.report import default_path, write_page
from postpress_source.cli.sla import Sla
from postpress_source.cli.warehouse import location, open_pipeline
from postpress_source.sandbox import World, generate_world, serve

MORNING = datetime(2026, 5, 17, 9, tzinfo=UTC)


def inbox() -> World:
    """The inbox of a certain morning, all of it moved to now."""
    world = generate_world(chats=2_000, accounts=4, seed=7, now=MORNING)
    later = (datetime.now(UTC) - MORNING) // timedelta(seconds=1) * timedelta(seconds=1)
    with world.batch():
        world.advance(later, activity=0)
        for chat in world.relist():
            for name in ("timestamp", "muted_until"):
                if isinstance(instant := chat.get(name), str):
                    world.edit(chat["id"], **{name: datetime.fromisoformat(instant) + later})
    return world


def main() -> None:
    """Load once, in the place of any demo before, and say what landed."""
    pipeline = open_pipeline(Choice(sandbox=True)).drop()
    with serve(inbox()) as server:
        pipeline.run(postpress_source("pp_live_sandbox", server.url), refresh="drop_sources")
    report(pipeline, location(pipeline))
    page = default_path(Choice(sandbox=True))
    write_page(look(Choice(sandbox=True), Sla()), Sla(), page)
    print(f"The same as a page: {page}")


if __name__ == "__main__":
    main()

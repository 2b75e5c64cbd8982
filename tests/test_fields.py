"""A field that PostPress documents is one line of `chats/fields.py`."""

import shutil
import subprocess
import sys
from pathlib import Path

import postpress_source

PACKAGE = Path(postpress_source.__file__).parent
BEFORE = "    folder: Annotated[\n"
LINES = """\
    created_at: Annotated[Instant, says("When it was made.")] = None
    message_count: Annotated[Whole, says("Messages.")] = msgspec.field(name="nMsg", default=None)
    labels: Annotated[Texts, says("Labels.")] = None
"""
LOAD = """
import sys
import dlt
from postpress_source import postpress_source
from postpress_source.sandbox import World, WorldOptions, serve

world = World(WorldOptions())
account = world.connect_account("SLACK", history=0)
told = {"created_at": "2026-05-17T09:42:11.000Z", "nMsg": 3, "labels": ["a", "b"]}
chat, odd = world.new_chat(account), world.new_chat(account)
world.edit(chat, **told)
world.edit(odd, **{**told, "nMsg": "4", "created_at": "soon"})
pipeline = dlt.pipeline(
    "fields",
    destination=dlt.destinations.duckdb("inbox.duckdb"),
    dataset_name="postpress",
    pipelines_dir="pipelines",
)
with serve(world) as server:
    pipeline.run(postpress_source(api_key="pp_live_fields_0123456789", base_url=server.url))
with pipeline.sql_client() as client:
    typed = client.execute_sql(
        "SELECT DISTINCT typeof(created_at), typeof(message_count) FROM chats"
    )
    assert typed == [("TIMESTAMP WITH TIME ZONE", "BIGINT")], typed
    rows = client.execute_sql(
        "SELECT id, epoch(created_at), message_count, extra FROM chats"
    )
    assert set(rows) == {
        (chat, 1779010931.0, 3, None),
        (odd, None, 4, '{"created_at":"soon"}'),
    }, rows
    labels = client.execute_sql("SELECT value FROM chats__labels WHERE chat_id = %s", chat)
    assert sorted(labels) == [("a",), ("b",)], labels
column = pipeline.default_schema.tables["chats"]["columns"]["created_at"]
assert column["description"] == "When it was made."
print("landed")
"""


def test_a_field_of_one_line_lands_typed(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    fields = tmp_path / PACKAGE.name / "chats" / "fields.py"
    listed = fields.read_text()
    assert listed.count(BEFORE) == 1
    fields.write_text(listed.replace(BEFORE, LINES + BEFORE))
    ran = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(tmp_path), "DLT_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "landed\n"), ran.stderr

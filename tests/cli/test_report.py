"""`postpress report`: a page that is whole in itself, says what is so, and can be seen."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from runpy import run_path
from typing import Any, Final

import dlt
import pytest

from postpress_source import postpress_source
from postpress_source.cli.overview import Overview, overview_of
from postpress_source.cli.report import write_page
from postpress_source.cli.report.page import page
from postpress_source.cli.report.past import Day, Gone, Past, read_past, vanished
from postpress_source.cli.sla import Sla
from postpress_source.sandbox import Sandbox, World, WorldOptions, generate_world, serve
from tests.cli.conftest import Desk, assert_plain

DAYS: Final = run_path(str(Path(__file__).parents[2] / "notebooks" / "sandbox_days.py"))
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or ""
HOSTILE: Final = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "</style><h1>owned</h1>",
    "'; DROP TABLE chats;--",
    "&lt;b&gt; &amp; \x00\x1b[31m",
    "\u202eright to left",
    "x" * 300,
    "javascript:alert(1)",
]
NOW: Final = datetime(2026, 5, 17, 9, tzinfo=UTC)


@pytest.fixture
def load(tmp_path: Path) -> Callable[[World], Overview]:
    """Loads a world, and looks at it."""

    def load(world: World, names: dict[str, str] | None = None) -> Overview:
        pipeline = dlt.pipeline(
            "report",
            destination=dlt.destinations.duckdb(str(tmp_path / "report.duckdb")),
            dataset_name="inbox",
            pipelines_dir=str(tmp_path / "pipelines"),
        )
        with serve(world) as sandbox, DAYS["source_clock"](world):
            pipeline.run(postpress_source(sandbox.key, sandbox.url))
        return overview_of(pipeline, Sla(), names or {}, NOW)

    return load


@pytest.fixture
def hostile(load: Callable[..., Overview]) -> Overview:
    """An inbox whose names are meant to be markup, those of accounts included."""
    world = World(WorldOptions(), now=NOW)
    account = world.connect_account("LINKEDIN", history=0)
    for hours, name in enumerate(HOSTILE):
        at = NOW - timedelta(hours=20 * hours + 1)
        world.new_chat(account, name=name, at=at, unread_count=1, folder=[name])
    return load(world, {account: HOSTILE[1]})


class Elements(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def written(overview: Overview, *, names: bool = False, **past: Any) -> str:
    return page(overview, Sla(), Past(**past), names=names)


def test_it_asks_for_nothing_and_runs_nothing(hostile: Overview) -> None:
    found = Elements(written(hostile, names=True))
    assert not {"script", "img", "link", "iframe", "object", "a", "form"} & {
        t for t, _ in found.tags
    }
    for _, attributes in found.tags:
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    styles = re.findall(r"<style>(.*?)</style>", written(hostile), re.DOTALL)
    assert not re.search(r"url\(|@import", "".join(styles))
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_hostile_names_are_texts(hostile: Overview) -> None:
    found = Elements(written(hostile, names=True))
    for name in HOSTILE:
        shown = "".join(char if char.isprintable() else " " for char in name)
        assert shown in found.text
    assert [t for t, _ in found.tags].count("h1") == 1


def test_peoples_names_only_if_asked_for(hostile: Overview) -> None:
    text = Elements(written(hostile)).text
    assert not [name for name in HOSTILE if name in text and name != HOSTILE[1]]
    assert HOSTILE[1] in text, "an account's name is no person's"


def test_its_numbers_are_those_of_status(load: Callable[..., Overview]) -> None:
    overview = load(generate_world(400, 4, seed=5, now=NOW))
    inbox = overview.document["inbox"]
    text = " ".join(Elements(written(overview)).text.split())
    assert f"{inbox['waiting']}chats waiting" in text
    assert f"{inbox['over_sla']}waiting longer than 1 d" in text
    for account in overview.document["accounts"]:
        assert f"{account['waiting']} waiting, {account['over_sla']} over" in text
    assert text.count("chat_01") == min(20, inbox["waiting"]) + inbox["over_sla"]
    assert "too few chats" not in text
    assert "Nothing, as far as the ledger goes back." in text


def test_shares_only_where_there_are_enough_chats(hostile: Overview) -> None:
    assert "too few chats" in Elements(written(hostile)).text


def test_an_empty_inbox_has_a_page(load: Callable[..., Overview]) -> None:
    world = World(WorldOptions(), now=NOW)
    chat = world.new_chat(world.connect_account("WHATSAPP", history=0), unread_count=0)
    text = Elements(written(load(world))).text
    assert "Nothing waits." in text
    assert chat not in text


def test_the_past_is_told_where_it_is_known(hostile: Overview) -> None:
    assert "isn't kept here" in Elements(written(hostile)).text
    assert "has just begun" in Elements(written(hostile, backlog=[])).text
    days = [Day(date(2026, 5, day), 10 * day) for day in range(1, 31)]
    found = vanished([hostile.walks[0] | {"chats_deleted": 7, "chats_missing": 2}, *hostile.walks])
    assert len(found) == 1
    gone = [Gone("<b>chat</b>", "acc", NOW, NOW)]
    text = Elements(written(hostile, backlog=days, vanished=found, gone=gone)).text
    assert "2026-05-30300" in text
    assert "walks that found chats gone" in text
    assert "<b>chat</b>" in text


@pytest.mark.slow
def test_the_past_is_that_of_the_history(tmp_path: Path) -> None:
    """Four days of an inbox, a chat that went on the third, and what waited each morning."""
    world = generate_world(60, 2, now=NOW - timedelta(minutes=30))
    lost = world.chat_ids[-1]
    pipeline = dlt.pipeline(
        "past",
        destination=dlt.destinations.duckdb(str(tmp_path / "past.duckdb")),
        dataset_name="inbox",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    quiet = {"archived": 0, "muted_until": None, "content_type": None}
    for chat in world.chat_ids:
        world.edit(chat, unread_count=0, **quiet)
    expected = []
    with serve(world) as sandbox, DAYS["source_clock"](world):
        for day in range(4):
            if day == 2:
                world.delete_chat(lost)
            world.edit(world.chat_ids[day], unread_count=1)
            pipeline.run(postpress_source(sandbox.key, sandbox.url, full_walk_every=timedelta(0)))
            expected.append(day + 1)
            world.advance(timedelta(days=1), 0)
        pipeline.run(postpress_source(sandbox.key, sandbox.url, full_walk_every=timedelta(0)))
    overview = overview_of(pipeline, Sla(), {}, world.now)
    past = read_past(pipeline, overview.walks, Sla())
    assert past.backlog is not None
    # before the first version that ended, nobody can say what was trimmed: no row
    assert [day.waiting for day in past.backlog] == expected[1:]
    assert past.gone is not None
    assert [gone.id for gone in past.gone] == [lost]
    assert sum(found.deleted for found in past.vanished) == 1


def test_the_library_is_as_it_was_published() -> None:
    """Charts.css 1.2.0 from npm, with its licence in the page as that asks for."""
    folder = files("postpress_source.cli.report")
    digest = hashlib.sha256(folder.joinpath("charts.min.css").read_bytes()).hexdigest()
    assert digest == "edd9756a53c171ead90291cbfa24dfcdde44ec850f1eacd6bcfb8e40e9ebfe12"
    assert "Permission is hereby granted" in folder.joinpath("charts.LICENSE.txt").read_text()


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG has it."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_its_colours_can_be_read_by_day_and_by_night() -> None:
    css = files("postpress_source.cli.report").joinpath("page.css").read_text()
    day, night = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in css.split("@media")[:2]
    )
    for colours in (day, night):
        for ground in ("ground", "card"):
            for ink in ("ink", "quiet", "over", "within"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["ink"], colours["warn-ground"]) >= 4.5


def test_pictures_have_words_and_numbers(hostile: Overview) -> None:
    found = Elements(written(hostile))
    pictures = [a for t, a in found.tags if a.get("role") == "img"]
    assert len(pictures) == 3
    assert all(re.search(r": \d", picture["aria-label"] or "") for picture in pictures)
    assert [t for t, _ in found.tags].count("details") == 3, "the numbers behind each"
    headings = [t for t, _ in found.tags if t in {"h1", "h2"}]
    assert headings[0] == "h1"


@pytest.mark.slow
def test_the_command_writes_it(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run").code == 0
    ended = desk.run("report")
    assert ended.code == 0, ended.text
    assert ended.out == "The page: inbox_report.html\n"
    text = (desk.folder / "inbox_report.html").read_text("utf-8")
    assert len(text) < 250_000
    told = json.loads(desk.run("report", "--out", "other.html", "--names", "--json").out)
    assert told["file"] == "other.html"
    assert told["bytes"] == (desk.folder / "other.html").stat().st_size
    ended = desk.run("report", "--out", "nowhere/page.html")
    assert ended.code == 1
    assert "--out" in ended.err
    assert_plain(ended.text)
    assert not list(desk.folder.glob("*.part"))


@pytest.mark.slow
def test_a_sandbox_run_ends_with_its_page_or_says_why_not(desk: Desk) -> None:
    (desk.folder / "inbox_report_sandbox.html").mkdir()
    ended = desk.run("run", "--sandbox")
    assert ended.code == 0, ended.text
    assert "wasn't written" in ended.err
    assert "as a page" not in ended.out
    (desk.folder / "inbox_report_sandbox.html").rmdir()
    ended = desk.run("run", "--sandbox")
    assert ended.out.splitlines()[-1] == "The inbox as a page: inbox_report_sandbox.html"
    assert (desk.folder / "inbox_report_sandbox.html").read_text().startswith("<!DOCTYPE html>")


MEASURE: Final = """
<script>
onload = () => {
  const frame = document.querySelector('iframe'), page = frame.contentDocument;
  const bars = [...page.querySelectorAll('.picture td')].map(td => td.getBoundingClientRect());
  document.title = JSON.stringify({
    title: page.title,
    wide: page.documentElement.scrollWidth - frame.clientWidth,
    drawn: bars.filter(bar => bar.width > 1 && bar.height > 8).length,
    ground: getComputedStyle(page.body).backgroundColor,
  });
};
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [1100, 360])
def test_a_browser_draws_it(hostile: Overview, tmp_path: Path, width: int) -> None:
    """In a frame of that width: its bars have a size, nothing is wider than it, no name ran."""
    write_page(hostile, Sla(), tmp_path / "page.html", names=True)
    frame = f"<iframe src=page.html style='width:{width}px;height:900px;border:0'></iframe>"
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html>{MEASURE}{frame}")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--allow-file-access-from-files", "--virtual-time-budget=5000"),
            *("--window-size=1200,1000", f"--user-data-dir={tmp_path / 'profile'}"),
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    found = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert found, done.stdout[:500] + done.stderr[-2000:]
    seen = json.loads(found[1])
    assert seen["title"] == "PostPress inbox report"
    assert seen["wide"] <= 0, "the page scrolls sideways"
    assert seen["drawn"] >= 4

"""All readings of the documents at once: what is promised holds in every world."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import dlt
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from postpress_source.sandbox import WorldOptions
from tests.proof.core import Core
from tests.proof.history import History, Step, steps_of
from tests.proof.machine import START, examples
from tests.proof.readings import ALL, HONEST, Drawn, contradict, corpus, wanted_pairs
from tests.proof.tales import HAPPENINGS, ORDERS

CORPUS = corpus(sorted(HAPPENINGS), sorted(ORDERS))


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Progress is reported to the active pipeline, whatever it is."""
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    logger = logging.getLogger("postpress_source")
    logger.disabled = True
    yield
    logger.disabled = False
    active.deactivate()


def test_the_corpus_covers_every_pair_of_readings_and_of_a_reading_and_a_happening() -> None:
    wanted = wanted_pairs(sorted(HAPPENINGS), sorted(ORDERS))
    covered = set().union(*(world.pairs for world in CORPUS))
    print(f"{len(CORPUS)} worlds cover {len(wanted & covered):,} of {len(wanted):,} pairs")
    assert wanted <= covered
    told = {
        (happening, world.seed)
        for world in CORPUS
        for step in steps_of(world)
        for happening, _ in (*step.first, *step.during.values())
    }
    assert told == {(name, world.seed) for world in CORPUS for name in world.happenings}


@pytest.mark.parametrize("world", CORPUS, ids=lambda world: f"world {world.seed}")
def test_what_is_promised_holds_under_every_pair_of_readings(world: Drawn) -> None:
    History(world.options, START, 30, Core, print).tell(steps_of(world))


happening = st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 59))
step = st.builds(
    Step,
    order=st.sampled_from(sorted(ORDERS)),
    first=st.lists(happening, max_size=3).map(tuple),
    during=st.dictionaries(st.integers(1, 14), happening, max_size=3),
)


@st.composite
def options(draw: st.DrawFn) -> WorldOptions:
    """Mostly the likely readings, and some others."""
    switches = draw(st.sampled_from([HONEST, HONEST, ALL]))
    chosen: dict[str, object] = {}
    for name in draw(st.lists(st.sampled_from(sorted(switches)), max_size=6, unique=True)):
        value = draw(st.sampled_from(switches[name]))
        if not any(contradict((name, value), feature) for feature in chosen.items()):
            chosen[name] = value
    if chosen.get("repeats") == "extra":
        chosen.setdefault("repeat_times", 1)
    return WorldOptions(**chosen)  # type: ignore[arg-type]


@settings(max_examples=examples(60))
@given(options=options(), chats=st.sampled_from([3, 12, 30]), steps=st.lists(step, max_size=6))
def test_what_is_promised_holds_whatever_happens(
    options: WorldOptions, chats: int, steps: Sequence[Step]
) -> None:
    History(options, START, chats, Core, note).tell(steps)

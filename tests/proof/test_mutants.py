"""The proof, proved: it finds breaks of the package. `make proof` tries all of them."""

from __future__ import annotations

import os
from random import Random

import pytest

from postpress_source import PostpressError
from tests.proof.breaking import Mutant, worlds
from tests.proof.mutants import MUTANTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("active_pipeline"),
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),
]

SEED = os.environ["PROOF_SEED"]  # tests/conftest.py


@pytest.mark.parametrize("mutant", Random(SEED).sample(MUTANTS, 15), ids=str)
def test_the_break_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.break_it(monkeypatch)
    with pytest.raises((AssertionError, PostpressError)):
        mutant.found_by()


def test_the_whole_package_passes_the_same() -> None:
    worlds()

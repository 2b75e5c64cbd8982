"""Breaks of what lands, of history and of the ledger."""

from __future__ import annotations

from typing import Final

from tests.proof.breaking import Mutant, deaths, landings, lives

_DELETES: Final = deaths("full walk that deletes")
_REPAIRS: Final = deaths("walk that repairs")

OF_LANDING: Final = (
    # --- history -----------------------------------------------------------------------------
    Mutant("landing.hand_over:HandOver.gone", "if gone and self._seen_at", "if not gone", lives),
    Mutant("landing.shape:Shape._scd2", '"destination_scope": self._staged()', '"x": 1', lives),
    Mutant(
        "landing.shape:Shape.describe",
        "new_history or self.versions_apart",
        "True",
        deaths("head walk"),
    ),
    Mutant("landing.look:_query", "conditions += [f\"{c('seen_until')} IS NULL\"]", "pass", lives),
    Mutant("landing.history:_seen", "pa.scalar(gone)", "pa.scalar(False)", _DELETES),
    Mutant("landing.package:Package.date", "now = last + _TICK", "now = last", landings),
    Mutant(
        "landing.repair:_standing", "twice_in_history=of_history", "twice_in_history=0", _REPAIRS
    ),
    # --- I4: together ----------------------------------------------------------------------------
    Mutant(
        "landing.repair:_standing",
        'doubles=0 if shape.disposition == "append" else doubles',
        "doubles=0",
        _REPAIRS,
    ),
    Mutant(
        "landing.shape:Shape._merge", "{extra} IS NULL OR", "{extra} IS NULL OR TRUE OR", _DELETES
    ),
    Mutant("landing.hand_over:HandOver.gone", "and self._shape.can_delete", "and False", _DELETES),
    Mutant("landing.ledger:_row", "complete=walk.complete", "complete=True", landings),
)

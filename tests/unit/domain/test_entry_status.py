"""The table of what an entry may become."""

from __future__ import annotations

import pytest

from neopain.domain.entry_status import RETRACTED, TRANSITIONS, EntryStatus, may_become, require_transition
from neopain.errors import ImpossibleTransition

PERMITTED = [
    ("preliminary", "final"),
    ("preliminary", "entered-in-error"),
    ("preliminary", "cancelled"),
    ("final", "amended"),
    ("final", "entered-in-error"),
    ("amended", "amended"),
    ("amended", "entered-in-error"),
]


def test_these_transitions_are_permitted_and_no_others() -> None:
    found = [(one.value, two.value) for one in EntryStatus for two in EntryStatus if may_become(one, two)]

    assert sorted(found) == sorted(PERMITTED)


@pytest.mark.parametrize("status", [one for one in EntryStatus if one in RETRACTED])
def test_nothing_leaves_what_was_retracted(status: EntryStatus) -> None:
    assert TRANSITIONS[status] == frozenset()


def test_an_impossible_transition_is_refused_with_what_would_be_possible() -> None:
    with pytest.raises(
        ImpossibleTransition, match=r"^an entry that is final becomes amended, entered-in-error, not preliminary$"
    ):
        require_transition(EntryStatus.FINAL, EntryStatus.PRELIMINARY)
    with pytest.raises(ImpossibleTransition, match="an entry that is cancelled becomes nothing, not final"):
        require_transition(EntryStatus.CANCELLED, EntryStatus.FINAL)

"""The table of what may become of an outbox row."""

from __future__ import annotations

import pytest

from neopain.charting.outbox import DONE, TRANSITIONS, Happening, RowState, after
from neopain.errors import ContractBroken


@pytest.mark.parametrize("happening", list(Happening))
@pytest.mark.parametrize("state", [state for state in RowState if state in DONE])
def test_nothing_happens_any_more_to_a_row_that_is_done(state: RowState, happening: Happening) -> None:
    with pytest.raises(ContractBroken, match=state.value):
        after(state, happening)


def test_an_ehr_that_is_not_there_leaves_a_row_pending() -> None:
    assert after(RowState.PENDING, Happening.UNAVAILABLE) is RowState.PENDING


def test_a_refused_row_is_a_dead_letter_until_a_person_asks_again() -> None:
    assert after(RowState.PENDING, Happening.REFUSED) is RowState.REJECTED
    assert after(RowState.REJECTED, Happening.ASKED_AGAIN) is RowState.PENDING


def test_every_state_can_be_reached_from_pending() -> None:
    reached = {RowState.PENDING} | {state for (before, _), state in TRANSITIONS.items() if before is RowState.PENDING}

    assert reached == set(RowState)

"""The control ids of our answers."""

from __future__ import annotations

from itertools import islice

from neopain.ingest.hl7.intake import _control_ids


def test_two_processes_give_no_control_id_twice() -> None:
    ids = [*islice(_control_ids(), 100), *islice(_control_ids(), 100)]
    assert len(set(ids)) == 200


def test_a_control_id_fits_into_msh_10() -> None:
    assert {len(one) for one in islice(_control_ids(), 100)} == {20}

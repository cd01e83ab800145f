"""Infants from a seed and a number."""

from __future__ import annotations

from neopain.simulator.assignment import ward_infants
from neopain.simulator.infant import simulated_infant


def test_the_same_seed_and_number_give_the_same_infant() -> None:
    assert simulated_infant(3, 7) == simulated_infant(3, 7)


def test_another_seed_gives_another_infant() -> None:
    assert simulated_infant(3, 7).physiology != simulated_infant(4, 7).physiology


def test_the_record_number_names_the_seed_and_the_infant() -> None:
    assert simulated_infant(1, 2).mrn == "SIM01002"


def test_the_assigning_authority_is_the_simulators_own() -> None:
    assert simulated_infant(1, 2).patient_id.assigning_authority == "NEOPAIN-SIM"


def test_gestational_ages_fill_26_to_42_weeks() -> None:
    ages = [simulated_infant(1, number).gestational_age_days for number in range(1, 301)]

    assert min(ages) >= 182
    assert max(ages) <= 294
    assert min(ages) < 189
    assert max(ages) > 287


def test_the_less_mature_have_the_faster_hearts_at_rest() -> None:
    infants = [simulated_infant(1, number) for number in range(1, 301)]
    early = [one.physiology.heart_rate_bpm for one in infants if one.gestational_age_weeks < 30]
    term = [one.physiology.heart_rate_bpm for one in infants if one.gestational_age_weeks > 38]

    assert sum(early) / len(early) > sum(term) / len(term) + 15


def test_the_wards_beds_are_named_as_everywhere_else() -> None:
    assert [cot.bed_id for _, cot in ward_infants(beds=2, seed=1)] == ["NICU/R1/1@SIM", "NICU/R1/2@SIM"]

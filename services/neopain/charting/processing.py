"""MSH-11 of what went in (HL7 v2.6 table 0103): demo and test input is told of an infant only beside an EHR of ours."""

from __future__ import annotations

from neopain.domain.vitals import Processing


def least_of(*processing: Processing) -> Processing:
    """The least trustworthy of them."""
    return max(processing, key=list(Processing).index)


def why_not_for_this_ehr(processing: Processing, *, is_test_ehr: bool) -> str:
    """Why such input is about nobody at this EHR; empty where it may be."""
    if processing is Processing.PRODUCTION or is_test_ehr:
        return ""
    return f"input is not production (MSH-11 {processing.value}) and the EHR is not our own"

"""The demo's result: figures from the line's own parts and from the EHR itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from neopain.bootstrap.fhir import search
from neopain.bootstrap.line import Line
from neopain.bootstrap.observed import Observed, inference_count
from neopain.charting.audit.verify import verify_audit
from neopain.domain.score import Outcome
from neopain.errors import EhrUnavailable
from neopain.simulator.ehr_seed import PATIENT_SYSTEM


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, nearest rank; 0 when there was nothing."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Summary:
    """``observations_in_ehr`` counts a FHIR search for each infant at the EHR; ``beds_charted`` those with one."""

    hl7_acknowledged: int
    frames: int
    audio_seconds: float
    scores: int
    abstained: int
    missed: int
    triton_inferences: int
    entries: int
    observations_in_ehr: int
    beds: int
    beds_charted: int
    audit_verified: bool
    score_latency_ms: Percentiles
    weights: str

    @property
    def holds(self) -> bool:
        """Whether each bed has an Observation in the EHR and the audit trail is whole."""
        return self.beds > 0 and self.beds_charted == self.beds and self.audit_verified

    def as_text(self) -> str:
        """One line per figure."""
        return "\n".join(f"{name}: {value}" for name, value in asdict(self).items())


def summarise(line: Line, observed: Observed) -> Summary:
    """Asks every part for its own figures; an EHR that does not answer has no Observations."""
    beds: list[dict[str, Any]] = observed.ward.get("beds", [])
    charted = [_observations(str(line.urls.ehr_url), bed) for bed in beds]
    return Summary(
        hl7_acknowledged=sum(bed["hl7_acknowledged"] for bed in beds),
        frames=sum(bed["frames_accepted"] for bed in beds),
        audio_seconds=round(sum(bed["audio_seconds"] for bed in beds), 1),
        scores=observed.outcomes[Outcome.SCORED],
        abstained=observed.outcomes[Outcome.ABSTAINED],
        missed=observed.outcomes[Outcome.MISSED],
        triton_inferences=inference_count(str(line.urls.triton_metrics), "fusion_head"),
        entries=sum(counts.entries for counts in observed.entries.values()),
        observations_in_ehr=sum(charted),
        beds=len(beds),
        beds_charted=sum(count > 0 for count in charted),
        audit_verified=verify_audit(str(line.urls.database_reader_url), anchor_path=line.audit_anchor).is_whole,
        score_latency_ms=percentiles(observed.latencies_ms),
        weights=next(iter(observed.newest.values())).model.weights.value if observed.newest else "",
    )


def percentiles(values: list[float]) -> Percentiles:
    """The nearest-rank 50 % and 95 % of the values."""
    if not values:
        return Percentiles(0.0, 0.0)
    ordered = sorted(values)
    return Percentiles(nearest_rank(ordered, 0.5), nearest_rank(ordered, 0.95))


def nearest_rank(ordered: list[float], share: float) -> float:
    """The smallest value that at least this share of the ordered values does not exceed."""
    return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 1)


def _observations(ehr_url: str, bed: dict[str, Any]) -> int:
    try:
        patients = search(ehr_url, "Patient", identifier=f"{PATIENT_SYSTEM}|{bed['mrn']}")
        return sum(len(search(ehr_url, "Observation", subject=f"Patient/{patient['id']}")) for patient in patients)
    except EhrUnavailable:
        return 0

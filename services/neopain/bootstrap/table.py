"""The demo's live table in the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from neopain.bootstrap.observed import Observed
from neopain.charting.reading import EntryCounts
from neopain.domain.identity import BedId
from neopain.domain.score import Modality, Score

COLUMNS = ("bed", "infant", "procedure", "score of 10", "present", "entries", "confirmed")
SHORT = {Modality.FACE: "face", Modality.CRY: "cry", Modality.PHYSIOLOGY: "vitals", Modality.MOVEMENT: "movement"}


class LiveTable:
    """A table that is drawn anew in place; does nothing when not enabled."""

    def __init__(self, *, enabled: bool) -> None:
        self._live = Live(console=Console(stderr=False), auto_refresh=False) if enabled else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, observed: Observed) -> None:
        """Draws what has been seen."""
        if self._live is not None:
            self._live.update(draw(observed), refresh=True)


def draw(observed: Observed) -> Table:
    """One row per bed of the ward."""
    weights = next(iter(observed.newest.values())).model.weights.value if observed.newest else "untrained"
    caption = f"weights: {weights}; investigational, not for care"
    table = Table(title="neopain demo: simulated infants", caption=caption)
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in {"bed", "score of 10"})
    for bed in observed.ward.get("beds", []):
        bed_id = BedId(bed["bed"])
        table.add_row(*_row(bed, observed.newest.get(bed_id), observed.entries.get(bed_id, EntryCounts())))
    return table


def _row(bed: dict[str, Any], score: Score | None, counts: EntryCounts) -> tuple[str, ...]:
    return (
        bed["bed"],
        f"{bed['mrn']} ({bed['gestational_age_days'] // 7} wk)",
        bed["procedure"],
        _score_text(score),
        _present_text(score),
        str(counts.entries),
        str(counts.confirmed),
    )


def _score_text(score: Score | None) -> str:
    if score is None:
        return "waiting"
    if score.estimate is None:
        return f"no score: {score.reason}"
    estimate = score.estimate
    return f"{estimate.value:.1f} [{estimate.low:.1f}-{estimate.high:.1f}] {score.model.weights.value}"


def _present_text(score: Score | None) -> str:
    if score is None:
        return ""
    return " ".join(SHORT[p.modality] if p.is_present else f"-{SHORT[p.modality]}({p.reason})" for p in score.presences)

"""What a scored recording looks like: a table for a reader, one JSON object for a machine."""

from __future__ import annotations

from typing import Any

from neopain.domain.score import Modality, Outcome, Score
from neopain.ingest.stream.replay import RecordingReport, TimedScore

Row = tuple[str, str, str, str]

NOTICE = "Investigational software: a score is a suggestion that a nurse verifies. Recordings are never charted."


def as_table(report: RecordingReport) -> str:
    """The scores as text: time, score and interval of 10, what was there, what was not and why; then notes."""
    lines = [f"{one.role:<6}{one.path}  (begins at {_clock(one.begins)})" for one in report.files]
    lines += [f"start {report.started.isoformat(timespec='seconds')}", ""]
    lines += _aligned([("time", "score of 10", "present", "absent"), *(_row(timed) for timed in report.scores)])
    lines += ["", *(f"note: {note}" for note in report.notes), _weights(report), NOTICE]
    return "\n".join(lines)


def as_json_object(report: RecordingReport) -> dict[str, Any]:
    """The same as one JSON object; times are seconds from the recording's start, scores are of 10."""
    return {
        "started": report.started.isoformat(),
        "files": [
            {"role": one.role, "path": str(one.path), "begins_seconds": round(one.begins, 3)} for one in report.files
        ],
        "scores": [_score_object(timed) for timed in report.scores],
        "notes": list(report.notes),
        "charted": False,
        "notice": NOTICE,
    }


def _aligned(rows: list[Row]) -> list[str]:
    """The rows with their columns below one another, two spaces apart."""
    time, score, present = (max(len(row[column]) for row in rows) for column in range(3))
    return [f"{row[0]:>{time}}  {row[1]:<{score}}  {row[2]:<{present}}  {row[3]}" for row in rows]


def _row(timed: TimedScore) -> Row:
    present = ", ".join(one.modality.value for one in timed.score.presences if one.is_present)
    absent = "; ".join(f"{one.modality.value}: {one.reason}" for one in timed.score.presences if not one.is_present)
    return _clock(timed.seconds), _number(timed.score), present or "-", absent or "-"


def _number(score: Score) -> str:
    if score.estimate is None:
        return f"none ({score.reason or score.outcome.value})"
    estimate = score.estimate
    return f"{estimate.value:.1f}  [{estimate.low:.1f}-{estimate.high:.1f}]  {score.model.weights.value}"


def _weights(report: RecordingReport) -> str:
    models = sorted(
        {f"{timed.score.model.name}, weights: {timed.score.model.weights.value}" for timed in report.scores}
    )
    return "\n".join(f"model {model}" for model in models)


def _clock(seconds: float) -> str:
    minutes, left = divmod(seconds, 60)
    return f"{int(minutes)}:{left:04.1f}" if left % 1 else f"{int(minutes)}:{int(left):02d}"


def _score_object(timed: TimedScore) -> dict[str, Any]:
    score, estimate = timed.score, timed.score.estimate
    found: dict[str, Any] = {
        "seconds": timed.seconds,
        "window_end": score.window_end.isoformat(),
        "outcome": score.outcome.value,
        "score": None if estimate is None else round(estimate.value, 3),
        "low": None if estimate is None else round(estimate.low, 3),
        "high": None if estimate is None else round(estimate.high, 3),
        "present": [one.modality.value for one in score.presences if one.is_present],
        "absent": {one.modality.value: one.reason for one in score.presences if not one.is_present},
        "model": score.model.name,
        "weights": score.model.weights.value,
    }
    if score.outcome is not Outcome.SCORED:
        found["reason"] = score.reason
    if estimate is not None:
        found["by_modality"] = _rounded(estimate.per_modality)
        found["attention"] = _rounded(estimate.attention)
        found["distance"] = round(estimate.distance, 3)
    return found


def _rounded(values: dict[Modality, float]) -> dict[str, float]:
    return {modality.value: round(value, 3) for modality, value in values.items()}

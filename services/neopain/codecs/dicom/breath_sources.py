"""Which channels of a respiratory object show each breath, by their source (PS3.16, CID 3005 "Respiration Waveform").

Trends, end-tidal values, transcutaneous CO2, and what a ventilator presses in or loses are of breath and show none.
"""

from __future__ import annotations

from neopain.codecs.dicom.waveform import Code

SCHEME = "DCM"

AIR, CHEST, BELLY = 0, 1, 2
"""What is asked first: air that moves is a breath; a chest or a belly also moves against a closed airway."""

SHOWS_BREATHS: dict[str, int] = {
    **dict.fromkeys(
        ("130421", "130416", "130417", "130418", "130419", "130420"), AIR
    ),  # Airflow: of any kind of sensor
    **dict.fromkeys(("130443", "130439", "130440"), AIR),  # CO2 Respiration; CO2 Waveform Main-stream, Side-stream
    **dict.fromkeys(("109117", "130433"), CHEST),  # Respiration Waveform; Respiratory Effort
    **dict.fromkeys(("130431", "130427", "130429"), CHEST),  # Thoracic Respiratory Effort, Inductance, PVDF
    **dict.fromkeys(("130425", "130426"), CHEST),  # Esophageal Pressure; Respiratory Pressure
    **dict.fromkeys(("130432", "130428", "130430"), BELLY),  # Abdominal Respiratory Effort, Inductance, PVDF
}
"""By code value."""


def breath_rank(source: Code | None) -> int | None:
    """How soon a channel of that source is asked for breaths; None where it shows none, or says nothing of itself."""
    return SHOWS_BREATHS.get(source.value) if source is not None and source.scheme == SCHEME else None

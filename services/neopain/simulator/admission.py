"""What the hospital's admission system says: ADT A01, A08 and A03 (HL7 v2.6 chapter 3), gestational age as an OBX."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.segments import Cot, Header, message, msh, pid, pv1, segment, timestamp

APPLICATION = "NEOPAIN-ADT"
GESTATIONAL_AGE = "18185-9^Gestational age^LN"


class AdmissionEvent(Enum):
    """Trigger event and the message structure it is sent in (A08 shares A01's)."""

    ADMIT = ("A01", "ADT_A01")
    UPDATE = ("A08", "ADT_A01")
    DISCHARGE = ("A03", "ADT_A03")


def born(infant: SimulatedInfant, now: datetime) -> datetime:
    """When the infant was born, if it has its age now: on the hour."""
    return (now - timedelta(days=infant.age_days)).replace(minute=0, second=0, microsecond=0)


def admission_message(
    event: AdmissionEvent, infant: SimulatedInfant, cot: Cot, *, control_id: str, sent: datetime
) -> bytes:
    """The ADT message of that event at that time, with gestational age in weeks; original acknowledgement mode."""
    trigger, structure = event.value
    header = Header(APPLICATION, f"ADT^{trigger}^{structure}", control_id, sent)
    return message(
        [
            msh(header),
            segment("EVN", {1: trigger, 2: timestamp(sent)}),
            pid(infant, born=born(infant, sent)),
            pv1(infant, cot),
            _gestational_age(infant, sent),
        ]
    )


def _gestational_age(infant: SimulatedInfant, sent: datetime) -> str:
    # Two decimals of a week tell every day apart.
    weeks = f"{infant.gestational_age_weeks:.2f}"
    return segment(
        "OBX", {1: "1", 2: "NM", 3: GESTATIONAL_AGE, 5: weeks, 6: "wk^week^UCUM", 11: "F", 14: timestamp(sent)}
    )

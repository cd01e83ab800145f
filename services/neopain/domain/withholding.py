"""When a number is not to be charted although there is one: what hides pain makes a low score a wrong number.

NIPS is falsely low in infants too ill or paralysed to respond (interop.md 1.1). Under neuromuscular block a number is
always withheld; how sedation counts is the site's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neopain.domain.drugs import Basis, DrugClass, DrugMark, is_blocked

NEUROMUSCULAR_BLOCK = "neuromuscular-block"
"""Also what scoring abstains for: it does not ask the nets about a paralysed infant."""
SEDATIVE = "sedative-in-effect"
DEEP_SEDATION = "deep-sedation"

DEEP = -5.0
"""Where deep sedation begins on the sedation axis, 0 to -10: half of it, our choice and no published cut-off."""


@dataclass(frozen=True, slots=True)
class Withholding:
    """What withholds beside a neuromuscular block."""

    sedatives: bool = False
    """Whether a sedative that was given withholds as long as it is in effect, however deep the sedation."""
    sedation_at_most: float | None = DEEP
    """A sedation axis at or below this withholds; None: it never does."""

    def reason_for(self, drugs: Iterable[DrugMark], *, sedation: float | None) -> str:
        """Why a number is withheld; empty when it is not. ``sedation`` is the axis, None where it is not known."""
        marks = tuple(drugs)
        if is_blocked(marks):
            return NEUROMUSCULAR_BLOCK
        if self.sedatives and any(_is_given_sedative(mark) for mark in marks):
            return SEDATIVE
        if self.sedation_at_most is not None and sedation is not None and sedation <= self.sedation_at_most:
            return DEEP_SEDATION
        return ""


def _is_given_sedative(mark: DrugMark) -> bool:
    return mark.drug_class == DrugClass.SEDATIVE.value and mark.basis == Basis.ADMINISTERED.value

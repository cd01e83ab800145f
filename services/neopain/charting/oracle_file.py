"""A site's Oracle Health domain as a TOML file: the code of the value, and who is which Practitioner there.

See docs/conformance/fhir-r4-oracle.md. Nothing is built in: codes and practitioners are the site's to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from neopain.charting.ehr.fhir_r4_oracle import OracleSite
from neopain.charting.flowsheet_file import Table
from neopain.charting.site_file import parse, read_text
from neopain.codecs.fhir.oracle import OracleCode
from neopain.codecs.fhir.terminology import LOINC, NIPS_TOTAL

Words = Annotated[str, Field(min_length=1, max_length=200)]


class ObservationTable(Table):
    """``[observation]``: what the EHR calls the value, and which of ours it is."""

    system: Words
    code: Words
    display: Words
    value: Literal["nips", "score"]

    @model_validator(mode="after")
    def _nips_is_nips(self) -> Self:
        if (self.system, self.code) == (LOINC, NIPS_TOTAL["code"]) and self.value != "nips":
            raise ValueError("LOINC 98012-8 carries 0 to 7 only: value is nips")
        return self


class PractitionerTable(Table):
    """``[[practitioner]]``: a nurse by issuer and sub of her token, and her reference at the EHR."""

    issuer: Words
    id: Words
    reference: Annotated[str, Field(pattern=r"^Practitioner/[A-Za-z0-9.-]{1,64}$")]


class OracleTable(Table):
    """The file."""

    observation: ObservationTable
    practitioner: list[PractitionerTable] = Field(default_factory=list)
    practitioner_system: str = ""
    """Identifier system at the EHR whose values are the ``sub`` of tokens: without a table she is searched for."""

    @model_validator(mode="after")
    def _somebody_can_be_found(self) -> Self:
        if not self.practitioner and not self.practitioner_system:
            raise ValueError("give [[practitioner]] or practitioner_system: no nurse could be found")
        return self


def read_oracle(path: Path) -> OracleSite:
    """The site of a file; ``ConfigurationError`` names file, key and rule."""
    table = parse(read_text(path, what="site file of Oracle Health"), OracleTable, file=str(path))
    told = table.observation
    return OracleSite(
        code=OracleCode(told.system, told.code, told.display, told.value),
        practitioners={(one.issuer, one.id): one.reference for one in table.practitioner},
        practitioner_system=table.practitioner_system,
    )

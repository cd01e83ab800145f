"""The site's own codes of numbers and waveforms: rows of a CSV file that go before the built-in ones."""

from __future__ import annotations

from neopain.codecs.hl7v2.codes import MDC, NAMED, SYSTEMS, Code
from neopain.codecs.table import Row, read_table
from neopain.domain.vitals import VitalKind
from neopain.domain.waveform import WaveKind

COLUMNS = ("system", "code", "name", "kind", "rank")
UNUSED = "none"
KINDS: dict[str, VitalKind | WaveKind | None] = {
    **{kind.value: kind for kind in VitalKind if kind is not VitalKind.MOVEMENT},
    **{kind.value: kind for kind in WaveKind},
    UNUSED: None,
}
"""Words of the column ``kind``; movement is measured in pictures, no monitor sends it."""
RANKS = (0, 9)


def read_site_codes(text: str, *, table: str) -> list[Code]:
    """A site's rows: CSV with the columns ``COLUMNS``.

    ``system`` is OBX-3.3 as the monitor sends it, or ``name`` where it sends none; ``kind`` one of ``KINDS``, ``none``
    for what is known and not used; ``rank`` may be empty (1). ``ConfigurationError`` names the line, the column and the
    rule.
    """
    rows: dict[tuple[str, str], Code] = {}
    for row in read_table(text, COLUMNS, table=table):
        code = _code(row)
        if (code.system, code.code) in rows:
            raise row.refusal("code", f"stands twice for system {code.system}")
        rows[code.system, code.code] = code
    return list(rows.values())


def _code(row: Row) -> Code:
    row.require_plain_text()
    system = system_of(row.required("system"))
    code = row.required("code")
    if system == MDC and not code.isdecimal():
        raise row.refusal("code", "an MDC code is a number; the name goes into the column name")
    kind = KINDS[row.word("kind", tuple(KINDS))]
    rank = row.whole("rank", RANKS)
    name = row.cells["name"] or code
    return Code(system, code.upper() if system == NAMED else code, name, kind, 1 if rank is None else rank)


def system_of(text: str) -> str:
    """The coding system as the registry names it; a private one in capitals."""
    return SYSTEMS.get(text.strip().upper(), text.strip().upper())


def site_row(code: Code) -> dict[str, str]:
    """A row of the registry as a row of the file."""
    kind = UNUSED if code.kind is None else code.kind.value
    return {"system": code.system, "code": code.code, "name": code.name, "kind": kind, "rank": str(code.rank)}

"""Which drugs hide pain, by code and by name; a site adds its own rows in a CSV file.

Sources: classes of the WHO's ATC index (a code is known by its longest prefix here), and RxNorm ingredients where the
number could be checked against a second public table. Names are INN and USAN. Codes and names are data: a pharmacy that
says something else gets a row in the site's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from neopain.codecs.table import Row, read_table
from neopain.domain.drugs import OUTLASTS, DrugClass

ATC, RXNORM, NAME = "ATC", "RxNorm", "name"

SYSTEMS = {
    **dict.fromkeys(("ATC", "WC", "HL70396-WC", "2.16.840.1.113883.6.73", "HTTP://WWW.WHOCC.NO/ATC"), ATC),
    **dict.fromkeys(("RXNORM", "RXN", "2.16.840.1.113883.6.88", "HTTP://WWW.NLM.NIH.GOV/RESEARCH/UMLS/RXNORM"), RXNORM),
}
"""Coding systems as RXA-5.3 and RXE-2.3 spell them (table 0396 and what senders write); others keep their own name."""

COLUMNS = ("system", "code", "ingredient", "class", "outlasts_minutes")
LONGEST_EFFECT_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class DrugCode:
    """One row; ``classes`` is empty for a drug that is known and hides nothing."""

    system: str
    code: str
    ingredient: str
    classes: tuple[DrugClass, ...]
    outlasts: timedelta


def _row(system: str, code: str, ingredient: str, *classes: DrugClass) -> DrugCode:
    return DrugCode(system, code, ingredient, classes, max((OUTLASTS[one] for one in classes), default=timedelta(0)))


ANALGESIC, SEDATIVE, BLOCKER = DrugClass.ANALGESIC, DrugClass.SEDATIVE, DrugClass.NEUROMUSCULAR_BLOCKER

BY_ATC = (
    _row(ATC, "M03AA", "curare alkaloid", BLOCKER),
    _row(ATC, "M03AB", "choline derivative", BLOCKER),
    _row(ATC, "M03AB01", "suxamethonium", BLOCKER),
    _row(ATC, "M03AC", "quaternary ammonium blocker", BLOCKER),
    _row(ATC, "M03AC01", "pancuronium", BLOCKER),
    _row(ATC, "M03AC03", "vecuronium", BLOCKER),
    _row(ATC, "M03AC04", "atracurium", BLOCKER),
    _row(ATC, "M03AC09", "rocuronium", BLOCKER),
    _row(ATC, "M03AC10", "mivacurium", BLOCKER),
    _row(ATC, "M03AC11", "cisatracurium", BLOCKER),
    _row(ATC, "M01A", "anti-inflammatory analgesic", ANALGESIC),
    _row(ATC, "N01AB", "inhaled anaesthetic", SEDATIVE),
    _row(ATC, "N01AF", "barbiturate anaesthetic", SEDATIVE),
    _row(ATC, "N01AH", "opioid anaesthetic", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AH01", "fentanyl", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AH02", "alfentanil", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AH03", "sufentanil", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AH06", "remifentanil", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AX", "general anaesthetic", SEDATIVE),
    _row(ATC, "N01AX03", "ketamine", ANALGESIC, SEDATIVE),
    _row(ATC, "N01AX10", "propofol", SEDATIVE),
    _row(ATC, "N01AX14", "esketamine", ANALGESIC, SEDATIVE),
    _row(ATC, "N01B", "local anaesthetic", ANALGESIC),
    _row(ATC, "N02A", "opioid", ANALGESIC, SEDATIVE),
    _row(ATC, "N02AA01", "morphine", ANALGESIC, SEDATIVE),
    _row(ATC, "N02B", "analgesic", ANALGESIC),
    _row(ATC, "N02BE01", "paracetamol", ANALGESIC),
    _row(ATC, "N03AA", "barbiturate", SEDATIVE),
    _row(ATC, "N05B", "anxiolytic", SEDATIVE),
    _row(ATC, "N05C", "hypnotic or sedative", SEDATIVE),
    _row(ATC, "N05CD08", "midazolam", SEDATIVE),
    _row(ATC, "N05CM18", "dexmedetomidine", ANALGESIC, SEDATIVE),
    _row(ATC, "N07BC02", "methadone", ANALGESIC, SEDATIVE),
)

BY_RXNORM = (
    _row(RXNORM, "10154", "suxamethonium", BLOCKER),
    _row(RXNORM, "480", "alfentanil", ANALGESIC, SEDATIVE),
    _row(RXNORM, "2670", "codeine", ANALGESIC, SEDATIVE),
    _row(RXNORM, "4337", "fentanyl", ANALGESIC, SEDATIVE),
    _row(RXNORM, "6813", "methadone", ANALGESIC, SEDATIVE),
    _row(RXNORM, "7052", "morphine", ANALGESIC, SEDATIVE),
    _row(RXNORM, "7804", "oxycodone", ANALGESIC, SEDATIVE),
    _row(RXNORM, "10689", "tramadol", ANALGESIC, SEDATIVE),
    _row(RXNORM, "6387", "lidocaine", ANALGESIC),
    _row(RXNORM, "3322", "diazepam", SEDATIVE),
    _row(RXNORM, "6960", "midazolam", SEDATIVE),
    _row(RXNORM, "6026", "isoflurane", SEDATIVE),
    _row(RXNORM, "27340", "desflurane", SEDATIVE),
    _row(RXNORM, "36453", "sevoflurane", SEDATIVE),
)

SYNONYMS = {
    "succinylcholine": "suxamethonium",
    "meperidine": "pethidine",
    "acetaminophen": "paracetamol",
    "phenobarbitone": "phenobarbital",
    "thiopentone": "thiopental",
    "metamizol": "metamizole",
    "dipyrone": "metamizole",
}


def _named(names: str, *classes: DrugClass) -> tuple[DrugCode, ...]:
    return tuple(_row(NAME, name, SYNONYMS.get(name, name), *classes) for name in names.split())


BY_NAME = (
    *_named("atracurium cisatracurium mivacurium pancuronium rocuronium vecuronium", BLOCKER),
    *_named("suxamethonium succinylcholine", BLOCKER),
    *_named("alfentanil fentanyl remifentanil sufentanil morphine hydromorphone methadone", ANALGESIC, SEDATIVE),
    *_named("pethidine meperidine tramadol oxycodone codeine nalbuphine buprenorphine", ANALGESIC, SEDATIVE),
    *_named("ketamine esketamine dexmedetomidine clonidine", ANALGESIC, SEDATIVE),
    *_named("paracetamol acetaminophen ibuprofen ketorolac metamizole metamizol dipyrone sucrose", ANALGESIC),
    *_named("lidocaine prilocaine bupivacaine levobupivacaine ropivacaine tetracaine chloroprocaine", ANALGESIC),
    *_named("midazolam lorazepam diazepam propofol etomidate thiopental thiopentone pentobarbital", SEDATIVE),
    *_named("phenobarbital phenobarbitone sevoflurane isoflurane desflurane", SEDATIVE),
    _row(NAME, "chloral hydrate", "chloral hydrate", SEDATIVE),
    _row(NAME, "iron sucrose", "iron sucrose"),
)


@dataclass(frozen=True, slots=True)
class DrugCodes:
    """The registry: our rows, and a site's before them."""

    rows: Mapping[tuple[str, str], DrugCode] = field(
        default_factory=lambda: {(one.system, one.code): one for one in (*BY_ATC, *BY_RXNORM, *BY_NAME)}
    )

    def with_rows(self, rows: Iterable[DrugCode]) -> DrugCodes:
        """The registry with a site's rows, which go before ours."""
        return DrugCodes({**self.rows, **{(one.system, one.code): one for one in rows}})

    def by_code(self, code: str, system: str) -> DrugCode | None:
        """The row of a code; of ATC the longest prefix that is known, down to a class of four signs."""
        known = SYSTEMS.get(system.upper(), system)
        code = code.strip()
        if known != ATC:
            return self.rows.get((known, code))
        ends = range(len(code), 3, -1)
        return next(
            (self.rows[ATC, code[:end].upper()] for end in ends if (ATC, code[:end].upper()) in self.rows), None
        )

    def by_name(self, text: str) -> tuple[DrugCode, ...]:
        """The rows whose names stand in the text as words of their own; a longer name hides a shorter one in it."""
        left = f" {' '.join(re.findall(r'[a-z]+', text.casefold()))} "
        found = []
        names = [row for row in self.rows.values() if row.system == NAME]
        for row in sorted(names, key=lambda row: (-len(row.code), row.code)):
            if f" {row.code} " in left:
                left = left.replace(f" {row.code} ", "  ")
                found.append(row)
        return tuple(found)


def read_site_codes(text: str, *, table: str) -> list[DrugCode]:
    """A site's rows: CSV with the columns ``COLUMNS``.

    ``class`` holds words of ``DrugClass`` with ``+`` between them, or ``none`` for a drug that hides nothing;
    ``outlasts_minutes`` may be empty. System ``name`` is a name to look for in the text of a message.
    ``ConfigurationError`` names the line, the column and the rule.
    """
    return [_site_row(row) for row in read_table(text, COLUMNS, table=table)]


def _site_row(row: Row) -> DrugCode:
    row.require_plain_text()
    system, code = row.required("system"), row.required("code")
    known = SYSTEMS.get(system.upper(), system)
    if known == NAME:
        code = " ".join(re.findall(r"[a-z]+", code.casefold()))
    classes = _classes(row)
    minutes = row.whole("outlasts_minutes", (0, LONGEST_EFFECT_MINUTES))
    default = max((OUTLASTS[one] for one in classes), default=timedelta(0))
    outlasts = default if minutes is None else timedelta(minutes=minutes)
    return DrugCode(known, code.upper() if known == ATC else code, row.required("ingredient"), classes, outlasts)


def _classes(row: Row) -> tuple[DrugClass, ...]:
    words = row.required("class").split("+")
    if words == ["none"]:
        return ()
    try:
        return tuple(DrugClass(word.strip()) for word in words)
    except ValueError as error:
        named = ", ".join(one.value for one in DrugClass)
        raise row.refusal("class", f"expected {named} with + between them, or none") from error

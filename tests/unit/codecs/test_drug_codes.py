"""Which drugs hide pain, by code, by name, and by a site's own table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from neopain.codecs.drug_codes import DrugCodes, read_site_codes
from neopain.domain.drugs import DrugClass
from neopain.errors import ConfigurationError

ANALGESIC, SEDATIVE, BLOCKER = DrugClass.ANALGESIC, DrugClass.SEDATIVE, DrugClass.NEUROMUSCULAR_BLOCKER
HEAD = "system,code,ingredient,class,outlasts_minutes\n"


@pytest.mark.parametrize(
    ("code", "system", "ingredient", "classes"),
    [
        ("M03AC03", "ATC", "vecuronium", (BLOCKER,)),
        ("m03ac03", "atc", "vecuronium", (BLOCKER,)),
        ("M03AC99", "ATC", "quaternary ammonium blocker", (BLOCKER,)),
        ("N01AH01", "WC", "fentanyl", (ANALGESIC, SEDATIVE)),
        ("N02AB03", "ATC", "opioid", (ANALGESIC, SEDATIVE)),
        ("10154", "RxNorm", "suxamethonium", (BLOCKER,)),
        ("6960", "RXNORM", "midazolam", (SEDATIVE,)),
    ],
)
def test_a_code_of_a_known_system_is_known(
    code: str, system: str, ingredient: str, classes: tuple[DrugClass, ...]
) -> None:
    row = DrugCodes().by_code(code, system)
    assert row is not None
    assert (row.ingredient, row.classes) == (ingredient, classes)


@pytest.mark.parametrize(
    ("code", "system"), [("M03AX01", "ATC"), ("M03", "ATC"), ("6960", "L"), ("10154", "ATC"), ("", "ATC")]
)
def test_other_codes_are_not(code: str, system: str) -> None:
    assert DrugCodes().by_code(code, system) is None


@pytest.mark.parametrize(
    ("text", "ingredients"),
    [
        ("Vecuronium bromide 10 MG Injection", ["vecuronium"]),
        ("VECURONIUM10MG", ["vecuronium"]),
        ("cisatracurium", ["cisatracurium"]),
        ("succinylcholine chloride", ["suxamethonium"]),
        ("fentanyl / midazolam", ["midazolam", "fentanyl"]),
        ("iron sucrose", ["iron sucrose"]),
        ("sucrose 24 % oral", ["sucrose"]),
        ("Ampicillin", []),
        ("morphinan", []),
    ],
)
def test_a_name_is_known_as_a_word_of_its_own(text: str, ingredients: list[str]) -> None:
    assert [row.ingredient for row in DrugCodes().by_name(text)] == ingredients


def test_a_site_s_rows_go_before_ours() -> None:
    text = (
        HEAD
        + "99GH,VEC1,vecuronium,neuromuscular-blocker,90\nname,Sucrose,sucrose,none,\nATC,n01ah01,fentanyl,analgesic,\n"
    )
    codes = DrugCodes().with_rows(read_site_codes(text, table="site.csv"))
    own = codes.by_code("VEC1", "99GH")
    assert own is not None
    assert (own.classes, own.outlasts) == ((BLOCKER,), timedelta(minutes=90))
    assert [row.classes for row in codes.by_name("sucrose 24 %")] == [()]
    fentanyl = codes.by_code("N01AH01", "ATC")
    assert fentanyl is not None
    assert (fentanyl.classes, fentanyl.outlasts) == ((ANALGESIC,), timedelta(hours=6))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("99GH,VEC1,vecuronium,paralytic,", "line 2, column class: 'paralytic'"),
        ("99GH,,vecuronium,sedative,", "column code: '': must not be empty"),
        ("99GH,VEC1,vecuronium,sedative,soon", "column outlasts_minutes"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(line: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        read_site_codes(HEAD + line, table="site.csv")

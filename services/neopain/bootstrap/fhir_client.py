"""The client of a FHIR EHR: its keys made, listed and published (``neopain fhir keys``), the EHR asked (``check``)."""

from __future__ import annotations

import json
from pathlib import Path

from neopain.charting.delivery import make_channel
from neopain.charting.ehr.smart_keys import Algorithm, key_set, make_key, read_keys
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings


def check_ehr() -> int:
    """Asks the EHR what it is, with a token where one is needed. ``ConfigurationError`` or ``EhrUnavailable``."""
    settings = read_settings(ChartingSettings)
    make_channel(settings).check()
    print(f"{settings.ehr_url or 'the EHR'} can be charted to by {settings.ehr_channel}")
    return 0


def make_client_key(folder: Path | None, algorithm: Algorithm) -> int:
    """Makes a key and prints its kid and file."""
    place = _folder(folder)
    key = make_key(place, algorithm, now=SystemClock().now())
    print(f"{key.kid}  {key.algorithm}  {place / key.name}")
    return 0


def list_client_keys(folder: Path | None) -> int:
    """Prints a line for each key, the one that signs first."""
    for number, key in enumerate(read_keys(_folder(folder))):
        print(f"{key.kid}  {key.algorithm}  {key.name}  {'published' if number else 'signs'}")
    return 0


def print_key_set(folder: Path | None) -> int:
    """Prints the public keys as a JWK Set."""
    print(json.dumps(key_set(read_keys(_folder(folder))), indent=2))
    return 0


def _folder(given: Path | None) -> Path:
    folder = given or read_settings(ChartingSettings).ehr_smart_keys
    if folder is None:
        raise ConfigurationError("NEOPAIN_CHARTING_EHR_SMART_KEYS is not set and no --folder is given")
    return folder

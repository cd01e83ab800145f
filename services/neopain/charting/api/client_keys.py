"""The public keys of our SMART client, as an EHR reads them where it has registered their address (JWKS, RFC 7517).

The private ones stay with the workers that deliver: the API has a file of what ``neopain fhir keys jwks`` prints.
"""

from __future__ import annotations

import json
from pathlib import Path

from neopain.charting.api.settings import BASE_PATH
from neopain.charting.site_file import read_text
from neopain.codecs.fhir.terminology import Json
from neopain.errors import ConfigurationError

PATH = f"{BASE_PATH}/.well-known/jwks.json"
KEPT_SECONDS = 300
"""So long may a copy be taken as it is."""
MEMBERS = {"RSA": frozenset({"n", "e"}), "EC": frozenset({"crv", "x", "y"})}
"""What a public key of a kind is made of (RFC 7518 section 6); every other member of it would be private."""
ABOUT = frozenset({"kty", "kid", "use", "alg", "key_ops"})


def read_client_keys(path: Path) -> Json:
    """The JWK Set in the file. ``ConfigurationError`` when it is none, holds no key, or more of one than is public."""
    try:
        keys = json.loads(read_text(path, what="JWKS"))["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"{path} holds no JWKS: give what `neopain fhir keys jwks` prints") from error
    if not isinstance(keys, list) or not keys:
        raise ConfigurationError(f"{path} holds no key: give what `neopain fhir keys jwks` prints")
    for number, key in enumerate(keys, start=1):
        _require_public(key, f"{path}, key {number}")
    return {"keys": keys}


def _require_public(key: object, place: str) -> None:
    members = MEMBERS.get(str(key.get("kty"))) if isinstance(key, dict) else None
    if not isinstance(key, dict) or members is None:
        raise ConfigurationError(f"{place}: it is neither an RSA nor an EC key")
    if not members <= key.keys():
        raise ConfigurationError(f"{place}: {min(members - key.keys())} is missing")
    if more := key.keys() - members - ABOUT:
        raise ConfigurationError(f"{place}: {min(more)} is not for everybody's eyes; keep it out of this file")

"""Versions of resources that nobody numbers, and entity tags (RFC 9110 section 8.8.3)."""

from __future__ import annotations

import hashlib
import json
import re

from neopain.codecs.fhir.terminology import Json

TAG = re.compile(r'(?:W/)?"([^"]*)"')


def versioned(resource: Json) -> Json:
    """The resource with a version made of its content: the same content has the same version."""
    meta = {"versionId": _digest(resource), **resource.get("meta", {})}
    return {**resource, "meta": meta}


def entity_tag(resource: Json) -> str:
    """The weak ETag of a resource (R4 http.html#versioning), or of a bundle by its content."""
    version = resource.get("meta", {}).get("versionId") or _digest(resource)
    return f'W/"{version}"'


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether the client has that version: ``*`` is any (RFC 9110 section 13.1.2), tags compare weakly."""
    if if_none_match.strip() == "*":
        return True
    return tag.removeprefix("W/").strip('"') in TAG.findall(if_none_match)


def _digest(resource: Json) -> str:
    text = json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

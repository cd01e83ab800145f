"""Answers and their headers: nothing from elsewhere in the page, nothing of patients in a cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from aiohttp import web

from neopain.codecs.fhir.refusal import Issue, outcome_of
from neopain.codecs.fhir.terminology import Json
from neopain.dashboard.page_files import PageFile
from neopain.runtime.body import takes_gzip

POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{one}-src 'self'" for one in ("script", "style", "img", "font", "connect", "manifest", "media")),
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
SECURITY = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Server": "neopain",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
NO_STORE = {"Cache-Control": "no-store"}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}
ASK_AGAIN = {"Cache-Control": "no-cache"}
FHIR_JSON = "application/fhir+json; charset=utf-8"


def told_json(told: Json, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """A JSON answer that no cache keeps."""
    return web.Response(status=status, text=json.dumps(told), content_type="application/json", headers=NO_STORE)


def told_outcome(status: HTTPStatus, issue: Issue, headers: Mapping[str, str] | None = None) -> web.Response:
    """An OperationOutcome."""
    body = json.dumps(outcome_of([issue])).encode()
    return web.Response(status=status, body=body, headers={"Content-Type": FHIR_JSON, **NO_STORE, **(headers or {})})


def told_person(text: str, *, status: HTTPStatus = HTTPStatus.OK, link: str = "", label: str = "") -> web.Response:
    """A small page of the server's own, for a person who has no page yet."""
    more = f'<p><a href="{escape(link)}">{escape(label)}</a></p>' if link else ""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>neopain</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<body><h1>neopain</h1><p>{escape(text)}</p>{more}"
        "<p>Investigational software. Not a medical device.</p></body></html>"
    )
    return web.Response(status=status, text=page, content_type="text/html", headers=NO_STORE)


def sent_to(address: str) -> web.Response:
    """Sends the browser on."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address, **NO_STORE})


def told_file(file: PageFile, *, accepted: str, known: str) -> web.Response:
    """A file of the page, packed where the browser takes that; 304 for what it has already."""
    headers = {
        "Content-Type": file.content_type,
        "ETag": file.tag,
        "Vary": "Accept-Encoding",
        **(FOR_GOOD if file.is_hashed else ASK_AGAIN),
    }
    if file.tag in known:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    if file.packed is not None and takes_gzip(accepted):
        return web.Response(body=file.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=file.body, headers=headers)

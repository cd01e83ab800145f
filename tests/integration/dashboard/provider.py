"""An OpenID provider as small as can be, which errs as a test tells it to."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt

from ...servers import in_background


class Provider:
    """Lets everybody in who comes to its authorization endpoint. ``claims`` and ``granted`` change what it says."""

    def __init__(self, key: Any, algorithm: str) -> None:
        self.key, self.algorithm, self.kid = key, algorithm, "key-1"
        self.claims: dict[str, Any] = {}
        self.granted: dict[str, Any] = {}
        self.refused = ""
        self.audience = "https://api.example"
        self.lifetime = 300
        self.asked: list[dict[str, str]] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self.serving = in_background(self.server)
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.serving.__exit__(None, None, None)

    def jwks(self) -> dict[str, Any]:
        told = jwt.algorithms.get_default_algorithms()[self.algorithm].to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**told, "kid": self.kid, "alg": self.algorithm, "use": "sig"}]}

    def discovery(self) -> dict[str, Any]:
        ways = {"authorization": "authorize", "token": "token", "end_session": "end"}
        endpoints = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in ways.items()}
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **endpoints}

    def authorize(self, query: str) -> str:
        """Where the browser is sent back to, with a code."""
        asked = dict(parse_qsl(query))
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def grant(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(asked)
        if self.refused:
            return 400, {"error": self.refused}
        told = {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": self.access_token()}
        if asked["grant_type"] == "authorization_code":
            begun = self.codes.pop(asked["code"])
            challenge = urlsafe_b64encode(sha256(asked["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            if (begun["code_challenge"], begun["redirect_uri"]) != (challenge, asked["redirect_uri"]):
                return 400, {"error": "invalid_grant"}
            told["id_token"] = self.signed({"aud": begun["client_id"], "nonce": begun["nonce"], **self.claims})
        return 200, {name: value for name, value in {**told, **self.granted}.items() if value is not None}

    def access_token(self) -> str:
        scope = "openid user/Observation.crus user/Patient.rs user/Flag.rus"
        return self.signed({"aud": self.audience, "scope": scope, "jti": str(len(self.asked))})

    def signed(self, claims: dict[str, Any]) -> str:
        now = datetime.now(UTC)
        told = {"iss": self.issuer, "sub": "nurse-7", "name": "N. Nurse", "iat": now, **claims}
        told = {"exp": now + timedelta(seconds=self.lifetime), **told}
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(kept, self.key, algorithm=self.algorithm, headers={"kid": self.kid})


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self._answer(303, {}, Location=provider.authorize(parts.query))
            elif parts.path == "/jwks":
                self._answer(200, provider.jwks())
            else:
                self._answer(200, provider.discovery())

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = {**dict(parse_qsl(form)), "authorization": self.headers.get("Authorization", "")}
            self._answer(*provider.grant(asked))

        def _answer(self, status: int, told: dict[str, Any], **headers: str) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            return

    return Handler

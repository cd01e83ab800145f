"""The TLS handshake of an accepted connection, and in which of a few words it failed."""

from __future__ import annotations

import asyncio
import ssl

from neopain.ingest.certificate_names import names_in
from neopain.runtime.log import Log

LOG = Log(__name__)

REASONS = {
    "HTTP_REQUEST": "plain text at the TLS port",
    "WRONG_VERSION_NUMBER": "plain text at the TLS port",
    "UNSUPPORTED_PROTOCOL": "TLS version too old",
    "VERSION_TOO_LOW": "TLS version too old",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no certificate",
    "CERTIFICATE_VERIFY_FAILED": "certificate not trusted",
}
"""OpenSSL's reason, and what is counted; all others are "TLS handshake failed"."""


class HandshakeFailed(Exception):
    """No TLS with this peer; the message is one of the few words that are counted."""


async def greet(
    transport: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext, *, seconds: float
) -> tuple[asyncio.Transport, tuple[str, ...]]:
    """Speaks TLS on an accepted connection from now on; returns its transport for that, and the names of the peer's
    certificate, none without one.

    To be called before anything else is awaited, so that no byte of the handshake is taken for content. Raises
    ``HandshakeFailed``, and ``ConnectionError`` when the peer has gone.
    """
    try:
        async with asyncio.timeout(seconds):
            loop = asyncio.get_running_loop()
            secured = await loop.start_tls(transport, protocol, context, server_side=True)
    except TimeoutError as error:
        raise HandshakeFailed("TLS handshake incomplete") from error
    except ssl.SSLError as error:
        LOG.debug("tls_handshake_failed", reason=error.reason)
        raise HandshakeFailed(REASONS.get(error.reason, "TLS handshake failed")) from error
    if secured is None:
        raise ConnectionResetError("the peer has gone during the TLS handshake")
    return secured, names_in(secured.get_extra_info("peercert"))

"""``neopain api token``: a token of the local issuer, for one machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from neopain.charting.api.local_issuer import TokenWish, issue
from neopain.charting.api.settings import LOCAL, ApiSettings
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """What the command line asked for."""

    scope: str
    seconds: float
    patient: str = ""
    units: tuple[str, ...] = ()


def print_token(options: TokenOptions) -> int:
    """Prints a token and nothing else. ``ConfigurationError`` without a local issuer, or before its API has started."""
    settings = read_settings(ApiSettings)
    if settings.api_local_issuer is None:
        raise ConfigurationError(f"{LOCAL} is not set: tokens come from {settings.api_issuer or 'an OpenID provider'}")
    wish = TokenWish(
        lifetime=timedelta(seconds=options.seconds),
        scope=options.scope,
        patient=options.patient,
        units=options.units,
    )
    token = issue(
        settings.api_local_issuer,
        wish,
        audience=settings.audience,
        units_claim=settings.api_units_claim,
        now=SystemClock().now(),
    )
    print(token)
    return 0

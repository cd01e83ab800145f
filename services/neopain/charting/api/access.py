"""Who asks, and what they may read: a bearer token (JWT, RFC 9068 and SMART) to grants and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from neopain.charting.api.settings import unit_named
from neopain.codecs.fhir.authority import authorities_of
from neopain.codecs.fhir.ids import ID, patient_id
from neopain.codecs.fhir.refusal import Refused, forbidden
from neopain.codecs.fhir.scopes import STUDY_SCOPE, Context, Grant, contexts_for, read_scopes
from neopain.domain.identity import BedId, PatientId, Unit, unit_of
from neopain.domain.policy import SitePolicies
from neopain.runtime.signed_token import Expected, KeySource, TokenRefused, read_signed

REQUIRED = ("iss", "aud", "exp", "sub")
LONGEST_TOKEN = 16_384
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Blinding:
    """What of the numbers that are kept for a study may be told: ``sees_all`` of them, or those that the policies let
    nurses see. By itself it lets nobody see any."""

    sees_all: bool = False
    policies: SitePolicies | None = None

    def hides_newest(self, bed: BedId) -> bool:
        """Whether the bed's newest score is kept from the client, by the policy of now."""
        return not self.sees_all and self.policies is not None and self.policies.of(bed).study.enabled


@dataclass(frozen=True, slots=True)
class Limits:
    """Whose data may be told.

    ``patient`` are the ids that the only Patient may have, None: anybody; a bed must be in one of each of ``units``.
    """

    patient: frozenset[str] | None = None
    units: tuple[tuple[Unit, ...], ...] = ()
    blinding: Blinding = Blinding()

    def allow_bed(self, bed: BedId) -> bool:
        """Whether what happens in the bed may be told."""
        unit = unit_of(bed)
        return all(any(_is_in(unit, one) for one in units) for units in self.units)

    def allow_patient(self, own_id: str) -> bool:
        """Whether anything about this Patient may be told."""
        return self.patient is None or own_id in self.patient

    @property
    def are_none(self) -> bool:
        """Whether everything may be told."""
        return self.patient is None and not self.units


@dataclass(frozen=True, slots=True)
class Access:
    """A client that has shown a token. ``units`` are what the token names, None where the site asks for none."""

    subject: str
    client: str
    issuer: str
    token_id: str
    grants: tuple[Grant, ...]
    patient: frozenset[str]
    served_units: tuple[Unit, ...] = ()
    units: tuple[Unit, ...] | None = None
    expires: datetime | None = None
    """When the token ends, and with it a stream of events."""
    policies: SitePolicies | None = None
    has_study_scope: bool = False
    """Whether the token has the scope of studies; ``is_of_study`` says whether it counts."""
    display: str = ""
    """How the person is called, by the claim ``name``; else the subject."""

    @property
    def is_of_study(self) -> bool:
        """Whether numbers that are kept from nurses are told: to a system with the scope of studies, and to
        nobody whose token lets a person or an infant's app in as well."""
        return self.has_study_scope and all(one.context is Context.SYSTEM for one in self.grants)

    def limits(self, resource_type: str, action: str) -> Limits:
        """What the action on the type is limited to; ``Refused`` (403) when no scope grants it."""
        found = self._limits(resource_type, action)
        if found is None:
            raise forbidden(f"no scope of the token grants {resource_type}.{action}")
        return found

    def may(self, resource_type: str, action: str) -> Limits | None:
        """The same; None when no scope grants it."""
        return self._limits(resource_type, action)

    def limits_of_person(self, resource_type: str, action: str) -> Limits:
        """What a write is limited to; ``Refused`` (403) unless a ``user/`` scope grants it: a review is a person's."""
        if Context.USER not in contexts_for(self.grants, resource_type, action):
            raise forbidden(f"no scope of the token grants user/{resource_type}.{action}: only a person may write")
        return self.limits(resource_type, action)

    def require_system(self, resource_type: str, action: str) -> None:
        """``Refused`` (403) unless a ``system/`` scope grants it: what outlives a person's session is a client's."""
        if Context.SYSTEM not in contexts_for(self.grants, resource_type, action):
            raise forbidden(f"no scope of the token grants system/{resource_type}.{action}")

    def require_any_patient(self, resource_type: str, action: str) -> None:
        """``Refused`` (403) where the action is granted for one infant only: what it names may be another's."""
        if self.limits(resource_type, action).patient is not None:
            raise forbidden(f"no scope of the token grants user/ or system/{resource_type}.{action}")

    def _limits(self, resource_type: str, action: str) -> Limits | None:
        contexts = contexts_for(self.grants, resource_type, action)
        units = (self.served_units,) if self.served_units else ()
        if self.units is not None:
            units = (*units, self.units)
        blinding = Blinding(self.is_of_study, self.policies)
        if contexts & {Context.USER, Context.SYSTEM}:
            return Limits(None, units, blinding)
        if Context.PATIENT in contexts and self.patient:
            return Limits(self.patient, units, blinding)
        return None


def _is_in(unit: Unit, limit: Unit) -> bool:
    return unit.name == limit.name and limit.facility in ("", unit.facility)


@dataclass(frozen=True, slots=True)
class Site:
    """What a token is measured by, and how the site names what is in it."""

    issuer: str
    audience: str
    leeway_seconds: float
    systems: Mapping[str, str]
    served_units: tuple[Unit, ...] = ()
    units_claim: str = ""
    policies: SitePolicies | None = None
    """Which units are in study mode."""


class TokenVerifier:
    """Tells from a token who asks. Remembers nothing of it."""

    def __init__(self, keys: KeySource, site: Site) -> None:
        self._keys = keys
        self._site = site

    async def admit(self, authorization: str | None) -> Access:
        """Who the ``Authorization`` header says. ``Refused`` (401), ``KeysUnavailable``."""
        if not authorization:
            raise _unauthorized("a bearer token is needed", error="")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or len(token) > LONGEST_TOKEN:
            raise _unauthorized("a bearer token is needed", error="invalid_request")
        claims = await self._claims(token.strip())
        return self._access(claims)

    async def _claims(self, token: str) -> dict[str, object]:
        site = self._site
        expected = Expected(site.issuer, site.audience, REQUIRED, site.leeway_seconds)
        try:
            claims = await read_signed(token, self._keys, expected)
        except TokenRefused as error:
            raise _unauthorized(str(error)) from error
        if "nbf" not in claims and "iat" not in claims:
            raise _unauthorized("the token does not say since when it is valid (nbf or iat)")
        return claims

    def _access(self, claims: Mapping[str, object]) -> Access:
        site = self._site
        return Access(
            subject=_name(claims, "sub"),
            client=_client(claims),
            issuer=site.issuer,
            token_id=_text(claims.get("jti")),
            grants=read_scopes(_scopes(claims)),
            patient=_patients(claims.get("patient"), site.systems),
            served_units=site.served_units,
            units=_units(claims, site.units_claim) if site.units_claim else None,
            policies=site.policies,
            has_study_scope=STUDY_SCOPE in _scopes(claims),
            expires=_expires(claims),
            display=_text(claims.get("name")) or _name(claims, "sub"),
        )


def _expires(claims: Mapping[str, object]) -> datetime:
    try:
        return datetime.fromtimestamp(float(str(claims["exp"])), UTC)
    except (ValueError, OverflowError, OSError) as error:
        # Milliseconds are a slip that would make a token good for ever.
        raise _unauthorized("the token's exp is in seconds since 1970, up to the year 9999") from error


def _client(claims: Mapping[str, object]) -> str:
    return _text(claims.get("client_id")) or _text(claims.get("azp")) or _text(claims.get("cid"))


def _name(claims: Mapping[str, object], claim: str) -> str:
    name = _text(claims.get(claim))
    if not name:
        raise _unauthorized(f"the token's {claim} is a text of up to {LONGEST_NAME} printable signs")
    return name


def _text(value: object) -> str:
    """The value where it is a text that can be written down; else empty."""
    return value if isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable() else ""


def _scopes(claims: Mapping[str, object]) -> list[str]:
    """``scope`` as RFC 9068 has it, one text; or ``scp``, or a list, as some providers do."""
    value = claims.get("scope", claims.get("scp"))
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _patients(value: object, systems: Mapping[str, str]) -> frozenset[str]:
    """The ids that the ``patient`` claim may mean: an id of ours, or an identifier as ``system|value``."""
    text = _text(value).removeprefix("Patient/")
    system, separator, number = text.partition("|")
    if separator:
        found = authorities_of(system, systems) if number else ()
        return frozenset(patient_id(PatientId(number, authority)) for authority in found)
    return frozenset({text}) if ID.fullmatch(text) else frozenset()


def _units(claims: Mapping[str, object], claim: str) -> tuple[Unit, ...]:
    value = claims.get(claim)
    named = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(unit_named(one) for one in named if isinstance(one, str) and one.partition("@")[0])


def _unauthorized(text: str, *, error: str = "invalid_token") -> Refused:
    challenge = f'Bearer realm="neopain", error="{error}"' if error else 'Bearer realm="neopain"'
    return Refused(HTTPStatus.UNAUTHORIZED, "login", text, headers={"WWW-Authenticate": challenge})

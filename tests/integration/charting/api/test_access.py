"""Who is let in, and to what: tokens, scopes, one infant, units."""

from __future__ import annotations

import base64
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from neopain.charting.facts import take_fact
from neopain.domain.census import BedState, DeviceAssociation, Infant
from neopain.domain.identity import BedId, PatientId

TYPES = ("Observation", "Patient", "Encounter", "Device", "Provenance", "AuditEvent")


def status_of(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    return answer.status_code, body["issue"][0]["code"]


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize("kid", ["es384", "es256", "rs384", "rs256"])
def test_a_token_signed_with_a_key_of_the_issuer_is_taken(api: Any, kid: str) -> None:
    assert api.ask("Observation", token=api.token(kid=kid)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://id.other.example"},
        {"iss": None},
        {"aud": "https://another.example/fhir"},
        {"aud": []},
        {"aud": None},
        {"exp": timedelta(minutes=-5)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 4_102_444_800_000},
        {"exp": 1e300},
        {"nbf": timedelta(minutes=5)},
        {"iat": timedelta(minutes=5)},
        {"nbf": None, "iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\x00b"},
        {"sub": "x" * 256},
    ],
)
def test_a_token_that_is_not_for_here_and_now_is_refused(api: Any, ward: Any, changes: dict[str, Any]) -> None:
    ward.chart()
    now = datetime.now(UTC)
    claims = {name: now + value if isinstance(value, timedelta) else value for name, value in changes.items()}

    answer = api.ask("Observation", token=api.token(**claims))

    assert status_of(answer) == (401, "login")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="neopain", error="invalid_token"'


def test_without_a_token_nothing_is_told_but_what_the_server_can_do(api: Any, ward: Any) -> None:
    ward.chart()

    refused = api.ask("Observation", token="")

    assert status_of(refused) == (401, "login")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="neopain"'
    assert api.ask("metadata", token="").json()["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize(
    "header", ["Basic dTpw", "Bearer", "Bearer x", "Bearer a.b.c", "Bearer é", f"Bearer {'x' * 20_000}"]
)
def test_what_is_no_bearer_token_is_refused(api: Any, header: str) -> None:
    answer = api.ask("Observation", token="", headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code in (401, 400)  # aiohttp itself refuses a header line beyond 8 KiB


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS384", "HS512", "PS384", "EdDSA", "ES512", 1, None])
def test_an_algorithm_that_is_not_listed_is_refused(api: Any, ward: Any, algorithm: object) -> None:
    ward.chart()
    claims = jwt.decode(api.token(), options={"verify_signature": False})
    token = by_hand({"alg": algorithm, "kid": "es384", "typ": "JWT"}, claims)

    assert status_of(api.ask("Observation", token=token)) == (401, "login")


def test_a_public_key_is_no_shared_secret(api: Any, issuer: Any) -> None:
    claims = jwt.decode(api.token(), options={"verify_signature": False})
    public = issuer.keys["rs256"][0].public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = by_hand({"alg": "HS256", "kid": "rs256", "typ": "JWT"}, claims).rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), "sha256")
    token = f"{unsigned}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    assert status_of(api.ask("Observation", token=token)) == (401, "login")


@pytest.mark.parametrize(("kid", "algorithm"), [("rs384", "RS256"), ("es384", "ES256"), ("es384", "RS384")])
def test_a_key_is_for_its_own_algorithm(api: Any, kid: str, algorithm: str) -> None:
    claims = jwt.decode(api.token(), options={"verify_signature": False})
    key = rsa.generate_private_key(65537, 2048) if algorithm[0] == "R" else ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})

    assert status_of(api.ask("Observation", token=token)) == (401, "login")


def test_a_token_of_another_key_under_a_known_name_is_refused(api: Any) -> None:
    claims = jwt.decode(api.token(), options={"verify_signature": False})
    other = ec.generate_private_key(ec.SECP384R1())
    token = jwt.encode(claims, other, algorithm="ES384", headers={"kid": "es384"})

    assert status_of(api.ask("Observation", token=token)) == (401, "login")


def test_a_token_that_was_changed_is_refused(api: Any) -> None:
    header, _, signature = api.token(scope="patient/Observation.rs", patient="x").split(".")
    claims = api.token(scope="system/*.rs").split(".")[1]

    assert status_of(api.ask("Observation", token=f"{header}.{claims}.{signature}")) == (401, "login")


def test_a_new_key_of_the_issuer_is_found(api: Any, issuer: Any) -> None:
    assert api.ask("Observation").status_code == 200
    issuer.add("new", ec.generate_private_key(ec.SECP384R1()), "ES384")

    assert api.ask("Observation", token=api.token(kid="new")).status_code == 200


def test_a_withdrawn_key_is_good_no_longer_than_keys_are_kept(api_with: Callable[..., Any], issuer: Any) -> None:
    api = api_with(api_jwks_lifetime_seconds=0.000_001)
    token = api.token()
    assert api.ask("Observation", token=token).status_code == 200
    del issuer.keys["es384"]
    issuer.publish()

    assert status_of(api.ask("Observation", token=token)) == (401, "login")


def test_keys_that_cannot_be_had_refuse_nobody_and_let_nobody_in(api_with: Callable[..., Any], issuer: Any) -> None:
    api = api_with(api_jwks_lifetime_seconds=0.000_001)
    issuer.jwks_file.unlink()

    answer = api.ask("Observation")

    assert status_of(answer) == (503, "transient")
    assert answer.headers["Retry-After"] == "5"


def test_keys_come_over_http_too(api_with: Callable[..., Any], faulty_issuer: Any, issuer: Any) -> None:
    api = api_with(api_jwks_file=None, api_jwks_url=faulty_issuer.url)
    faulty_issuer.status = 500
    assert status_of(api.ask("Observation")) == (503, "transient")
    faulty_issuer.status = 200
    faulty_issuer.body = b"no JSON"
    assert status_of(api.ask("Observation")) == (503, "transient")
    faulty_issuer.body = issuer.jwks_file.read_bytes()
    assert api.ask("Observation").status_code == 200
    faulty_issuer.status = 500
    assert api.ask("Observation").status_code == 200


def test_an_unknown_key_has_the_keys_read_again_only_now_and_then(
    api_with: Callable[..., Any], faulty_issuer: Any, issuer: Any
) -> None:
    api = api_with(api_jwks_file=None, api_jwks_url=faulty_issuer.url, api_jwks_refetch_seconds=3600)
    faulty_issuer.body = issuer.jwks_file.read_bytes()
    api.ask("Observation")
    claims = jwt.decode(api.token(), options={"verify_signature": False})
    for number in range(5):
        stranger = jwt.encode(claims, issuer.keys["es384"][0], algorithm="ES384", headers={"kid": f"k{number}"})
        assert status_of(api.ask("Observation", token=stranger)) == (401, "login")

    assert faulty_issuer.asked == 1


# -- scopes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "reads", "searches"),
    [
        ("system/{}.rs", True, True),
        ("user/{}.rs", True, True),
        ("system/*.rs", True, True),
        ("user/*.read", True, True),
        ("system/{}.read", True, True),
        ("system/{}.*", True, True),
        ("system/{}.cruds", True, True),
        ("openid fhirUser system/{}.r", True, False),
        ("system/{}.s", False, True),
        ("system/{}.cud", False, False),
        ("system/{}.write", False, False),
        ("system/Condition.rs", False, False),
        ("system/{}.rs?category=survey", False, False),
        ("patient/{}.rs", False, False),  # without a patient in the token
        ("system/{}", False, False),
        ("", False, False),
    ],
)
def test_a_scope_grants_what_it_says_on_every_endpoint(api: Any, scope: str, *, reads: bool, searches: bool) -> None:
    for resource_type in TYPES:
        token = api.token(scope=scope.format(resource_type))
        answers = [api.ask(path, token=token).status_code for path in (f"{resource_type}/none", resource_type)]

        assert (resource_type, answers) == (resource_type, [404 if reads else 403, 200 if searches else 403])


@pytest.mark.parametrize(
    "claims", [{"scope": ["system/Observation.s"]}, {"scope": None, "scp": "system/Observation.s"}]
)
def test_scopes_may_be_a_list_or_have_another_name(api: Any, claims: dict[str, Any]) -> None:
    assert api.ask("Observation", token=api.token(**claims)).status_code == 200


def test_what_no_scope_grants_is_not_included_and_said_so(api: Any, ward: Any) -> None:
    ward.chart()

    bundle = api.bundle("Observation?_include=Observation:patient", token=api.token(scope="system/Observation.rs"))

    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]
    assert bundle["entry"][1]["resource"]["issue"][0]["code"] == "forbidden"


# -- one infant --------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_wards(ward: Any, engine: Any, clock: Any) -> tuple[Any, Any]:
    """Two infants in two units of two facilities, each with a device and an entry; the first is the ward's."""
    other = type(ward)(engine, clock, bed=BedId("PICU/1/1@WEST"))
    ward.bed = BedId("NICU/1/1@EAST")
    for one in (ward, other):
        infant = Infant((one.infant,), visit="V1")
        since = clock.moment - timedelta(seconds=60)
        device = DeviceAssociation(f"monitor of {one.bed}", one.infant, since)
        tell(one, BedState(one.bed, since, infant, associations=(device,)))
        one.chart()
    return ward, other


def tell(ward: Any, state: BedState) -> None:
    take_fact(ward.intake, fact_id=uuid.uuid4().hex, state=state, arrived=state.since)


def patient_of(api: Any, infant: PatientId) -> str:
    (patient,) = api.found(f"Patient?identifier=urn:neopain:authority:HOSP|{infant.value}")
    return str(patient["id"])


def told_of(api: Any, resource_type: str, token: str, *, everything: str) -> tuple[str, int, list[int], set[int]]:
    """How many of the type a token finds, and what it is answered to a read of each of these, and of all others."""
    there = {one["id"] for one in api.found(resource_type, token=everything)}
    found = {one["id"] for one in api.found(resource_type, token=token)}
    reads = {own_id: api.ask(f"{resource_type}/{own_id}", token=token).status_code for own_id in there}
    return (
        resource_type,
        len(found),
        [reads[own_id] for own_id in found],
        {status for own_id, status in reads.items() if own_id not in found},
    )


OWN_TYPES = ("Observation", "Patient", "Encounter", "Device", "Provenance")


@pytest.mark.parametrize("form", ["{id}", "Patient/{id}", "urn:neopain:authority:HOSP|{mrn}"])
def test_a_token_for_one_infant_tells_of_no_other(api: Any, two_wards: tuple[Any, Any], form: str) -> None:
    infant = two_wards[0].infant
    mine = form.format(id=patient_of(api, infant), mrn=infant.value)
    token = api.token(scope="patient/*.rs", patient=mine)

    for resource_type in OWN_TYPES:
        assert told_of(api, resource_type, token, everything=api.token()) == (resource_type, 1, [200], {404})


def test_a_token_for_one_infant_finds_nothing_of_another_by_its_number(api: Any, two_wards: tuple[Any, Any]) -> None:
    mine, other = (one.infant for one in two_wards)
    token = api.token(scope="patient/*.rs", patient=f"urn:neopain:authority:HOSP|{mine.value}")

    assert api.found(f"Observation?patient={patient_of(api, other)}", token=token) == []
    assert api.found(f"Observation?patient.identifier={other.value}", token=token) == []
    assert api.bundle("Observation?_summary=count", token=token)["total"] == 1


@pytest.mark.parametrize("claim", [None, "", "nobody", "urn:other|1", 4711, ["x"], "a b"])
def test_a_token_for_an_infant_whom_nobody_knows_tells_of_nobody(
    api: Any, two_wards: tuple[Any, Any], claim: object
) -> None:
    answer = api.ask("Observation", token=api.token(scope="patient/Observation.rs", patient=claim))

    assert answer.status_code == 403 or "entry" not in answer.json()


def test_the_audit_trail_is_not_for_a_token_of_one_infant(api: Any, two_wards: tuple[Any, Any]) -> None:
    token = api.token(scope="patient/*.rs", patient=patient_of(api, two_wards[0].infant))

    assert status_of(api.ask("AuditEvent", token=token)) == (403, "forbidden")
    assert status_of(api.ask("AuditEvent/charting-1", token=token)) == (403, "forbidden")


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [["NICU"], ["NICU@EAST"], "NICU OTHER"])
def test_a_token_for_units_tells_of_no_other(
    api_with: Callable[..., Any], two_wards: tuple[Any, Any], units: object
) -> None:
    api = api_with(api_units_claim="units")
    both, token = api.token(units=["NICU", "PICU"]), api.token(units=units)

    for resource_type in OWN_TYPES:
        assert told_of(api, resource_type, token, everything=both) == (resource_type, 1, [200], {404})


@pytest.mark.parametrize("units", [None, [], "", ["NICU@WEST"], ["nicu"], [1], {"NICU": 1}, "@EAST"])
def test_where_units_are_asked_for_a_token_without_a_fitting_one_sees_nothing(
    api_with: Callable[..., Any], two_wards: tuple[Any, Any], units: object
) -> None:
    api = api_with(api_units_claim="units")

    for resource_type in OWN_TYPES:
        assert api.found(resource_type, token=api.token(units=units)) == []


def test_the_site_s_own_units_hold_for_every_token(api_with: Callable[..., Any], two_wards: tuple[Any, Any]) -> None:
    api = api_with(api_units=("NICU",), api_units_claim="units")

    assert len(api.found("Observation", token=api.token(units=["NICU", "PICU"]))) == 1
    assert api.found("Observation", token=api.token(units=["PICU"])) == []
    assert status_of(api.ask("AuditEvent", token=api.token(units=["NICU"]))) == (403, "forbidden")

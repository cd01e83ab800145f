"""A query read into what it asks for: tokens, references, controls, cursors; what is passed over, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.fhir.bundle import MANDATORY_ELEMENTS, SUMMARY_ELEMENTS
from neopain.codecs.fhir.capability import capability_statement
from neopain.codecs.fhir.cursor import Place, read_cursor, write_cursor
from neopain.codecs.fhir.digest import entity_tag, is_known
from neopain.codecs.fhir.refusal import Refused, Warnings
from neopain.codecs.fhir.scopes import Context, contexts_for, read_scopes
from neopain.codecs.fhir.search import (
    SEARCHES,
    References,
    Search,
    Token,
    Tokens,
    handling_of,
    read_search,
    read_token,
)

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def search(*pairs: tuple[str, str], of: str = "Observation", is_strict: bool = True) -> Search:
    return read_search(of, pairs, is_strict=is_strict, warnings=Warnings())


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("a", Token(None, "a")),
        ("s|a", Token("s", "a")),
        ("|a", Token("", "a")),
        ("s|", Token("s", "")),
        (r"s\|t|a\|b", Token("s|t", "a|b")),
        (r"a\$b\\c", Token(None, r"a$b\c")),
        ("a\\", Token(None, "a\\")),
    ],
)
def test_a_token_is_system_and_code(text: str, token: Token) -> None:
    assert read_token(text) == token


@given(system=st.text("ab\\|,$", max_size=6), code=st.text("ab\\|,$", min_size=1, max_size=6))
def test_what_is_escaped_is_read_back(system: str, code: str) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\{sign}" if sign in "\\|,$" else sign for sign in text)

    (criterion,) = search(("identifier", f"{escaped(system)}|{escaped(code)}")).criteria

    assert criterion == Tokens("identifier", (Token(system, code),))


@pytest.mark.parametrize(
    ("token", "system", "code", "means"),
    [
        ("a", "s", "a", True),
        ("s|a", "s", "a", True),
        ("t|a", "s", "a", False),
        ("|a", "s", "a", False),
        ("|a", "", "a", True),
        ("s|", "s", "a", True),
        ("b", "s", "a", False),
    ],
)
def test_a_token_means_a_coding(token: str, system: str, code: str, *, means: bool) -> None:
    assert read_token(token).means(system, code) is means


def test_values_are_or_and_parameters_are_and() -> None:
    assert search(("patient", "a,Patient/b"), ("status", "x"), ("status", "")).criteria == (
        References("patient", ("a", "b")),
        Tokens("status", (Token(None, "x"),)),
    )


@pytest.mark.parametrize("name", ["subject", "patient", "subject:Patient", "patient:Patient"])
def test_subject_and_patient_ask_the_same(name: str) -> None:
    address = "https://neopain.hospital.example/fhir/R4/Patient/a"

    assert search((name, address)).criteria == (References("patient", ("a",)),)


@pytest.mark.parametrize(("text", "count"), [("", 50), ("0", 0), ("7", 7), ("501", 500), ("999999999", 500)])
def test_a_page_has_at_most_500(text: str, count: int) -> None:
    assert search(("_count", text)).count == count


def test_what_is_passed_over_is_told_and_not_repeated() -> None:
    warnings = Warnings()

    found = read_search("Observation", [("name", "Smith"), ("_format", "json")], is_strict=False, warnings=warnings)

    assert (found.criteria, found.understood) == ((), ())
    assert len(warnings.issues) == 1
    assert "Smith" not in warnings.issues[0].text
    assert "name" not in warnings.issues[0].text.split(";")[0]


def test_a_modifier_is_refused_whatever_the_handling() -> None:
    with pytest.raises(Refused, match="modifier"):
        search(("status:not", "final"), is_strict=False)


@pytest.mark.parametrize(
    ("headers", "is_strict"),
    [([], False), (["handling=lenient"], False), (["handling=strict"], True), (["a", "b;c, HANDLING=STRICT"], True)],
)
def test_handling_is_as_preferred(headers: list[str], *, is_strict: bool) -> None:
    assert handling_of(headers) is is_strict


@given(
    moment=st.datetimes(timezones=st.just(UTC)),
    own_id=st.from_regex(r"[A-Za-z0-9.-]{1,64}", fullmatch=True),
    sort=st.sampled_from(["date", "-date"]),
)
def test_a_cursor_is_read_back(moment: datetime, own_id: str, sort: str) -> None:
    place = Place(own_id, moment)

    assert read_cursor(write_cursor(place, sort=sort), sort=sort, has_moment=True) == place


@given(st.text(max_size=80))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(Refused, match="_cursor"):
        read_cursor(text, sort="date", has_moment=True)


def test_the_capability_statement_is_valid_and_says_what_the_tables_say() -> None:
    statement = capability_statement(url="https://neopain.hospital.example/fhir/R4", started=NOON)

    CapabilityStatement.model_validate(statement)
    (rest,) = statement["rest"]
    told = {
        one["type"]: {own["name"] for own in one["searchParam"]} for one in rest["resource"] if one["type"] in SEARCHES
    }
    types = {"Observation", "Patient", "Encounter", "Device", "Flag", "Provenance", "AuditEvent", "Subscription"}
    assert set(told) == types
    assert told["Observation"] == {
        "_id",
        "_lastUpdated",
        "category",
        "code",
        "date",
        "encounter",
        "identifier",
        "patient",
        "status",
        "subject",
    }
    offered = {one["type"]: [code["code"] for code in one["interaction"]] for one in rest["resource"]}
    assert offered.pop("Observation") == ["read", "search-type", "update", "create"]
    assert offered.pop("Procedure") == ["create"]
    assert offered.pop("Subscription") == ["read", "search-type", "update", "create", "delete"]
    assert all(codes == ["read", "search-type"] for codes in offered.values())
    operations = {
        one["type"]: [own["name"] for own in one["operation"]] for one in rest["resource"] if "operation" in one
    }
    assert operations == {"Flag": ["acknowledge", "snooze"], "Subscription": ["status", "events"]}
    topics = [one["valueCanonical"] for of in rest["resource"] for one in of.get("extension", ())]
    assert topics == [f"https://neopain.org/fhir/SubscriptionTopic/{name}" for name in ("pain-entry", "pain-alert")]


def test_every_type_has_its_summary() -> None:
    assert set(SUMMARY_ELEMENTS) == set(MANDATORY_ELEMENTS) == set(SEARCHES)


@pytest.mark.parametrize(
    ("if_none_match", "is_had"),
    [('W/"1"', True), ('"1"', True), ('"0", W/"1"', True), ("*", True), ('"2"', False), ("1", False), ("", False)],
)
def test_a_tag_is_known_by_its_value(if_none_match: str, *, is_had: bool) -> None:
    assert is_known(if_none_match, entity_tag({"meta": {"versionId": "1"}})) is is_had


def test_scopes_grant_by_context_type_and_action() -> None:
    grants = read_scopes(["openid", "user/Patient.read", "patient/*.s", "system/Device.rs?x=y", "launch/patient"])

    assert contexts_for(grants, "Patient", "r") == {Context.USER}
    assert contexts_for(grants, "Patient", "s") == {Context.USER, Context.PATIENT}
    assert contexts_for(grants, "Device", "r") == frozenset()

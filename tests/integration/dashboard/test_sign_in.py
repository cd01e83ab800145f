"""Who is let in, for how long, and what a browser is given."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from neopain.errors import ConfigurationError

from ...servers import trusted
from .conftest import Dashboard
from .provider import Provider


def test_a_link_signs_in_once(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with()
    link = dashboard.link()

    first = dashboard.get(link)
    session = dashboard.get("/session").json()
    second = httpx.get(link, verify=trusted())

    assert (first.status_code, first.headers["Location"], second.status_code) == (303, "/", 403)
    assert "Set-Cookie" not in second.headers
    assert {name: session[name] for name in ("user", "fhir", "signOut")} == {
        "user": "nurse-1",
        "fhir": "/fhir/",
        "signOut": "/sign-out",
    }


def test_a_link_that_is_over_signs_nobody_in(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with(link_seconds=60)
    link = dashboard.link()
    dashboard.clock.advance(61)

    assert dashboard.get(link).status_code == 403
    assert dashboard.get("/session").status_code == 401


def test_nobody_is_told_where_to_sign_in(dashboard_with: Callable[..., Dashboard]) -> None:
    answer = dashboard_with().get("/session")

    assert (answer.status_code, answer.json()) == (401, {"signIn": "/sign-in"})


def test_a_session_ends_when_it_is_idle_and_after_a_shift(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with(idle_seconds=900, session_seconds=1800)
    answers = []
    dashboard.sign_in()
    for seconds in (899, 899, 3):
        dashboard.clock.advance(seconds)
        answers.append(dashboard.get("/session").status_code)
    dashboard.sign_in()
    dashboard.clock.advance(901)
    answers.append(dashboard.get("/session").status_code)

    assert answers == [200, 200, 401, 401]


def test_a_person_may_sign_out(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with()
    dashboard.sign_in()
    word = next(iter(dashboard.http.cookies.values()))

    answer = dashboard.write("POST", "/sign-out", None)

    assert answer.json() == {"next": "/"}
    dashboard.http.cookies.set(f"neopain-{dashboard.settings.port}", word)
    assert dashboard.get("/session").status_code == 401


def test_another_site_s_page_signs_nobody_out(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with()
    dashboard.sign_in()

    by_form = dashboard.write("POST", "/sign-out", None, X_Neopain_Page="")
    by_link = dashboard.get("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})

    assert (by_form.status_code, by_link.status_code) == (403, 403)
    assert dashboard.get("/session").status_code == 200


def test_cookies_by_tls_are_this_host_s_alone(dashboard_with: Callable[..., Dashboard], provider: Provider) -> None:
    dashboard = dashboard_with(
        url="https://ward.example", openid_issuer=provider.issuer, openid_client_id="dashboard", behind_tls_proxy=True
    )

    pending = _cookie(dashboard.get("/sign-in"), "__Host-neopain-sign-in")
    headers = dashboard.get("/session").headers

    assert (pending["secure"], pending["httponly"], pending["path"]) == (True, True, "/")
    assert (pending["samesite"], pending["domain"]) == ("Lax", "")
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_session_s_cookie_is_sent_by_no_other_site(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with()

    cookie = _cookie(dashboard.get(dashboard.link()), f"neopain-{dashboard.settings.port}")

    assert (cookie["samesite"], cookie["httponly"], cookie["max-age"]) == ("Strict", True, "")


def test_a_nurse_signs_in_at_the_provider_and_reads_with_a_token_of_hers(
    dashboard_with: Callable[..., Dashboard],
    api_with: Callable[..., Any],
    provider: Provider,
    tmp_path: Any,
    ward: Any,
) -> None:
    api = api_with(api_issuer=provider.issuer, api_jwks_file=None, api_jwks_url=f"{provider.issuer}/jwks")
    provider.audience = api.url
    hospital = dashboard_with(fhir_url=api.url, openid_issuer=provider.issuer, openid_client_id="dashboard")
    ward.chart()

    came = _come_back(hospital, to="/bed/7")
    session = hospital.get("/session").json()
    found = hospital.get("/fhir/Observation?code=pain-score")

    assert (came.status_code, came.headers["Location"]) == (303, "/bed/7")
    assert (session["user"], session["mayReview"], session["source"]) == ("N. Nurse", True, "neopain")
    assert len(found.json()["entry"]) == 1
    assert "eyJ" not in came.text + str(came.headers) + str(session) + str(found.headers)


def test_what_is_asked_of_the_provider(hospital: Dashboard) -> None:
    asked = dict(parse_qsl(urlsplit(hospital.get("/sign-in").headers["Location"]).query))

    assert asked["redirect_uri"] == f"{hospital.settings.own_url}/sign-in/back"
    assert (asked["client_id"], asked["aud"]) == ("dashboard", hospital.settings.fhir_url)
    assert asked["code_challenge_method"] == "S256"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert "user/Observation.crus" in asked["scope"].split()


def test_a_client_with_a_secret_shows_it(
    dashboard_with: Callable[..., Dashboard], provider: Provider, tmp_path: Any
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret:ä\n")
    hospital = dashboard_with(
        openid_issuer=provider.issuer, openid_client_id="dashboard", openid_client_secret_file=secret
    )

    assert _come_back(hospital).status_code == 303
    assert provider.asked[-1]["authorization"] == "Basic ZGFzaGJvYXJkOnMzY3JldCUzQSVDMyVBNA=="
    assert "client_id" not in provider.asked[-1]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "other"}, "belongs to another sign-in"),
        ({"nonce": None}, "MissingRequiredClaimError"),
        ({"aud": "another"}, "InvalidAudienceError"),
        ({"aud": ["dashboard", "another"]}, "for others, too"),
        ({"azp": "another"}, "for others, too"),
        ({"iss": "https://another.example"}, "InvalidIssuerError"),
        ({"exp": 1}, "ExpiredSignatureError"),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(
    hospital: Dashboard, provider: Provider, claims: dict[str, Any], why: str
) -> None:
    provider.claims = claims

    came = _come_back(hospital)

    assert (came.status_code, why in came.text) == (403, True)
    assert hospital.get("/session").status_code == 401


def test_an_id_token_of_another_key_lets_nobody_in(hospital: Dashboard, provider: Provider, signing_keys: Any) -> None:
    back = hospital.get(hospital.get("/sign-in").headers["Location"]).headers["Location"]
    _, provider.algorithm = signing_keys["es384"]
    published = provider.jwks()
    provider.key, provider.algorithm = signing_keys["es256"]
    provider.jwks = lambda: published  # type: ignore[method-assign]

    assert hospital.get(back).status_code == 403


@pytest.mark.parametrize(
    ("granted", "status"),
    [({"id_token": None}, 403), ({"access_token": None}, 503), ({"token_type": "mac"}, 503)],
)
def test_a_grant_that_cannot_be_used_lets_nobody_in(
    hospital: Dashboard, provider: Provider, granted: dict[str, Any], status: int
) -> None:
    provider.granted = granted

    assert _come_back(hospital).status_code == status
    assert hospital.get("/session").status_code == 401


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (r"state=[^&]*", "belongs to another sign-in"),
        (r"code=[^&]*", "did not let her in"),
        (r"iss=[^&]*", "another provider"),
    ],
)
def test_an_answer_of_the_provider_that_was_changed_lets_nobody_in(hospital: Dashboard, change: str, why: str) -> None:
    back = hospital.get(hospital.get("/sign-in").headers["Location"]).headers["Location"]
    name = change.partition("=")[0]
    forged = f"{name}=" if name == "code" else f"{name}=forged"

    came = hospital.get(re.sub(change, forged, back))

    assert (came.status_code, why in came.text) == (403, True)


def test_an_answer_is_good_in_its_own_browser_for_ten_minutes_and_once(hospital: Dashboard) -> None:
    back = hospital.get(hospital.get("/sign-in").headers["Location"]).headers["Location"]

    elsewhere = httpx.get(back, verify=trusted())
    here = hospital.get(back)
    again = hospital.get(back)
    late = hospital.get(hospital.get("/sign-in").headers["Location"]).headers["Location"]
    hospital.clock.advance(601)

    assert [elsewhere.status_code, here.status_code, again.status_code] == [403, 303, 403]
    assert hospital.get(late).status_code == 403


def test_a_page_of_another_site_is_not_where_one_comes_back_to(hospital: Dashboard) -> None:
    assert _come_back(hospital, to="//evil.example").headers["Location"] == "/"


def test_an_access_token_is_renewed_and_with_its_refusal_the_session_ends(
    hospital: Dashboard, provider: Provider
) -> None:
    provider.granted = {"refresh_token": "again"}
    _come_back(hospital)
    hospital.clock.advance(299)

    hospital.get("/fhir/Observation")
    renewed = provider.asked[-1]
    provider.refused = "invalid_grant"
    hospital.clock.advance(299)
    ended = hospital.get("/fhir/Observation")

    assert (renewed["grant_type"], renewed["refresh_token"]) == ("refresh_token", "again")
    assert (ended.status_code, hospital.get("/session").status_code) == (401, 401)


def test_without_a_refresh_token_the_session_ends_with_the_access_token(hospital: Dashboard) -> None:
    _come_back(hospital)
    hospital.clock.advance(301)

    assert hospital.get("/session").status_code == 401


def test_one_signs_out_at_the_provider_too(hospital: Dashboard, provider: Provider) -> None:
    _come_back(hospital)

    there = hospital.write("POST", "/sign-out", None).json()["next"]

    asked = dict(parse_qsl(urlsplit(there).query))
    assert there.startswith(f"{provider.issuer}/end?")
    assert asked["post_logout_redirect_uri"] == f"{hospital.settings.own_url}/"
    assert asked["id_token_hint"].count(".") == 2


def test_a_provider_that_does_not_answer_is_said(hospital: Dashboard, provider: Provider) -> None:
    provider.discovery = lambda: {"issuer": "https://another.example"}  # type: ignore[method-assign]

    assert hospital.get("/sign-in").status_code == 503


def test_a_port_in_use_is_named(dashboard_with: Callable[..., Dashboard]) -> None:
    dashboard = dashboard_with()

    with pytest.raises(ConfigurationError, match="NEOPAIN_DASHBOARD_PORT"):
        dashboard_with(port=dashboard.settings.port)


def _come_back(hospital: Dashboard, *, to: str = "/") -> httpx.Response:
    """Signs in at the provider, and comes back."""
    at_provider = hospital.get(f"/sign-in?to={to}").headers["Location"]
    return hospital.get(hospital.get(at_provider).headers["Location"])


def _cookie(answer: httpx.Response, name: str) -> Any:
    return SimpleCookie(answer.headers["Set-Cookie"])[name]

"""What a FHIR server says when it does not do what it was asked: OperationOutcome (R4 operationoutcome.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from neopain.codecs.fhir.terminology import Json


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue: its code is of R4 valueset-issue-type.html; ``text`` holds no patient data."""

    code: str
    text: str
    severity: str = "error"
    expression: str = ""
    """The element that it is about, as a FHIRPath; empty for none."""


class Refused(Exception):
    """A request that is not answered as asked: the HTTP status, and why. To be told to the client as it is."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        text: str,
        *,
        headers: Mapping[str, str] | None = None,
        expression: str = "",
        further: Sequence[Issue] = (),
    ) -> None:
        super().__init__(text)
        self.status = status
        self.issue = Issue(code, text, expression=expression)
        self.further = tuple(further)
        """What else is wrong with it."""
        self.headers: Mapping[str, str] = headers or {}

    @property
    def issues(self) -> tuple[Issue, ...]:
        """All that is wrong with it."""
        return (self.issue, *self.further)


def bad_request(text: str, *, code: str = "invalid") -> Refused:
    """The request cannot be understood."""
    return Refused(HTTPStatus.BAD_REQUEST, code, text)


def not_found(what: str) -> Refused:
    """There is no such thing, or none that this client may know of: it is not told which."""
    return Refused(HTTPStatus.NOT_FOUND, "not-found", f"there is no {what} here")


def forbidden(text: str) -> Refused:
    """The client is known and may not."""
    return Refused(HTTPStatus.FORBIDDEN, "forbidden", text)


def outcome_of(issues: Sequence[Issue]) -> Json:
    """The OperationOutcome of one or more issues."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(one) for one in issues],
    }


def _issue(issue: Issue) -> Json:
    told: Json = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.text}
    return {**told, "expression": [issue.expression]} if issue.expression else told


@dataclass(slots=True)
class Warnings:
    """What was passed over while a request was read, to be told beside the answer."""

    issues: list[Issue] = field(default_factory=list)

    def add(self, code: str, text: str) -> None:
        """Adds a warning."""
        self.issues.append(Issue(code, text, severity="warning"))

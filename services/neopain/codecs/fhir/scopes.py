"""SMART scopes (SMART App Launch 2.x, scopes-and-launch-context.html): what a client may read and write, and whose.

``patient/Observation.rs``, ``user/*.read``, ``system/AuditEvent.r``. A scope with a query (``?category=``) narrows in a
way that is not followed here: it grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

STUDY_SCOPE = "neopain/study.r"
"""Of a client that reads what is kept from nurses for a study; counts beside ``system/`` scopes alone."""
READ = "r"
SEARCH = "s"
CREATE = "c"
UPDATE = "u"
DELETE = "d"
V2 = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.(c?r?u?d?s?)")
V1 = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.(read|write|\*)")
ACTIONS_OF_V1 = {"read": READ + SEARCH, "write": CREATE + UPDATE + DELETE, "*": "cruds"}


class Context(Enum):
    """Whose data a scope is about."""

    PATIENT = "patient"
    """One infant's, whom the token names."""
    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one scope grants; ``resource_type`` ``*`` is every type."""

    context: Context
    resource_type: str
    actions: str

    def covers(self, resource_type: str, action: str) -> bool:
        """Whether it grants the action on the type."""
        return action in self.actions and self.resource_type in ("*", resource_type)


def read_scopes(scopes: Iterable[str]) -> tuple[Grant, ...]:
    """What the scopes grant; those that are not about resources, or not understood, grant nothing."""
    grants = []
    for scope in scopes:
        if found := V1.fullmatch(scope):
            context, resource_type, action = found.groups()
            actions = ACTIONS_OF_V1[action]
        elif found := V2.fullmatch(scope):
            context, resource_type, actions = found.groups()
        else:
            continue
        grants.append(Grant(Context(context), resource_type, actions))
    return tuple(grants)


def contexts_for(grants: Iterable[Grant], resource_type: str, action: str) -> frozenset[Context]:
    """The contexts in which the action on the type is granted."""
    return frozenset(grant.context for grant in grants if grant.covers(resource_type, action))

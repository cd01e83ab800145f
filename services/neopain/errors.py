"""Every error that neopain raises on purpose, by what the caller should do about it.

NeopainError
├── PermanentError         will never succeed: dead-letter it, keep the raw bytes, go on
│   ├── ImpossibleTransition   what was asked cannot follow from what something stands at
│   ├── MalformedMessage       bytes that break their protocol, with the place and the rule
│   ├── OutOfDate              input that came too late to be applied
│   ├── SignInRefused          a person could not be signed in
│   └── UnreadableRecording    a file that cannot be decoded
├── TransientError         will succeed later: back off and try again
│   ├── BufferFull             of a device: no more can be held until the server takes some
│   ├── BusUnavailable
│   ├── CameraUnavailable
│   ├── DatabaseUnavailable
│   ├── InferenceUnavailable
│   ├── KeysUnavailable
│   ├── FhirUnavailable        of a dashboard: the FHIR server that it reads from
│   ├── ProviderUnavailable    the OpenID provider
│   └── EhrUnavailable
├── RejectedByEhr          the EHR said no for good: a person is needed
│   └── NotLetIn               the EHR does not let this client in; nothing was sent
├── ContractBroken         two of our own parts disagree: stop
└── ConfigurationError     refuse to start

A foreign error is translated once, at the adapter, with ``from``. Messages carry no patient data.
"""

from __future__ import annotations


class NeopainError(Exception):
    """The root: nothing else is raised on purpose."""


class PermanentError(NeopainError):
    """Will never succeed: dead-letter it."""


class ImpossibleTransition(PermanentError):
    """What was asked cannot follow from what something stands at: nothing was changed; look at it again."""


class MalformedMessage(PermanentError):
    """Bytes that break their protocol.

    ``location`` names the place in the protocol's own words (``OBX[3]-5``, ``MSH-9``), ``rule`` what it should be.
    """

    def __init__(self, location: str, rule: str, *, code: str = "207") -> None:
        super().__init__(f"{location}: {rule}")
        self.location = location
        self.rule = rule
        self.code = code
        """Code of HL7 table 0357 for the ERR segment; 207 is an application internal error."""


class OutOfDate(PermanentError):
    """Input that came too late: to apply it now could make something untrue. The message says what is to be done."""


class SignInRefused(PermanentError):
    """A person could not be signed in, or is so no more: nothing was let through; she begins anew."""


class UnreadableRecording(PermanentError):
    """A file that cannot be read as what it was given as; the message names the file and the reason."""


class TransientError(NeopainError):
    """Will succeed later: back off."""


class BufferFull(TransientError):
    """A device holds as much as it may without a receipt: the message was not taken."""


class BusUnavailable(TransientError):
    """The bus did not take or give: nothing may be acknowledged."""


class CameraUnavailable(TransientError):
    """A camera could not be opened, or what it sends ended or cannot be used.

    The message begins with one of the few reasons of ``ingest.camera.source`` and holds no address, since that has
    a password in it.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason


class DatabaseUnavailable(TransientError):
    """PostgreSQL did not answer, or a lock could not be had in time: nothing was written."""


class InferenceUnavailable(TransientError):
    """Triton did not answer: the window waits."""


class KeysUnavailable(TransientError):
    """The keys of the issuer of tokens cannot be had: nobody is let in, and nobody is refused."""


class FhirUnavailable(TransientError):
    """The FHIR server that a dashboard reads from did not answer: what it shows is as old as it says."""


class ProviderUnavailable(TransientError):
    """The OpenID provider did not answer, or with nothing that can be used: nobody is signed in, nobody is refused."""


class EhrUnavailable(TransientError):
    """The EHR did not answer, or asked to be left alone; ``retry_after_seconds`` is what it asked for, if it did.

    ``was_sent`` is False when it cannot have got what was to be sent.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, was_sent: bool = True) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.was_sent = was_sent


class RejectedByEhr(NeopainError):
    """The EHR refused for good; a person has to look.

    ``words`` are the EHR's own where it gave some: they may name a patient, and are never logged or audited.
    """

    def __init__(self, message: str, *, words: str = "") -> None:
        super().__init__(message)
        self.words = words


class NotLetIn(RejectedByEhr):
    """The EHR's authorization server does not let this client in: nothing was sent, and nothing can be until a person
    has put right the registration, the keys or the scopes."""


class ContractBroken(NeopainError):
    """Two of our own parts disagree about a shape, a schema or a version: stop before harm is done."""


class ConfigurationError(NeopainError):
    """A setting or the machine does not allow a start; the message names the setting and the next step."""

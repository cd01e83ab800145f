"""``NEOPAIN_CHARTING_*``."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from neopain.charting.policy_file import read_policy
from neopain.charting.roles import Roles
from neopain.domain.policy import POLICIES, SitePolicies
from neopain.errors import ConfigurationError
from neopain.runtime.settings import ServiceSettings


class ChartingSettings(ServiceSettings):
    """The settings of every process of charting: consumer, delivery worker, beat, migration."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_CHARTING_")

    database_url: str = Field(description="URL of PostgreSQL, postgresql+psycopg2://user:password@host:port/database")
    database_writer_role: str = Field(
        "",
        description="Migration: existing role that the other processes log in as; it gets the privileges it needs, and "
        "cannot change or delete audit rows. None: they are the role that migrates",
    )
    database_reader_role: str = Field(
        "", description="Migration: existing role that may read every table and change nothing"
    )
    broker_url: str = Field("", description="URL of the Celery broker, redis://...; it may be the bus")
    queue: str = Field("neopain-charting", description="First part of the broker's queue and keys")
    ehr_channel: Literal["fhir-r4", "fhir-r4-oracle", "hl7v2-oru", "recorder"] = Field(
        "fhir-r4",
        description="How entries reach the EHR: fhir-r4; fhir-r4-oracle to Oracle Health, verified entries only; "
        "hl7v2-oru to a flowsheet interface; recorder into files, for an evaluation",
    )
    ehr_url: str = Field(
        "", description="FHIR: the FHIR base URL; hl7v2-oru: mllp://host:port, mllps://host:port by TLS"
    )
    ehr_is_embedded: bool = Field(False, description="The EHR is our own demo one: it may get demo and test input")
    ehr_requires_encounter: bool = Field(
        True, description="Hold an entry when no encounter is in progress; of hl7v2-oru, without a visit number"
    )
    ehr_provenance: bool = Field(
        True, description="fhir-r4: a Provenance lies in each Observation; False for an EHR that refuses contained ones"
    )
    ehr_batch_seconds: float = Field(
        0.0,
        ge=0,
        le=1,
        description="fhir-r4: how long a request to the EHR waits for others, to go with them as one batch where it "
        "offers that; 0: each goes alone",
    )
    ehr_timeout_seconds: float = Field(10.0, gt=0, description="How long one request to the EHR may take")
    ehr_tls_ca: Path | None = Field(
        None, description="https, mllps: PEM file with the authorities of the EHR's certificate; none: the machine's"
    )
    ehr_tls_certificate: Path | None = Field(None, description="https, mllps: PEM file with the certificate we show")
    ehr_tls_key: Path | None = Field(None, description="https, mllps: PEM file with its key, without a passphrase")
    ehr_proxy: str = Field(
        "", description="FHIR: http:// or https:// URL of the proxy on the way to the EHR; none of the environment's"
    )
    ehr_smart_client_id: str = Field(
        "", description="FHIR: our client id at the EHR's authorization server; turns SMART Backend Services on"
    )
    ehr_smart_keys: Path | None = Field(
        None, description="FHIR: folder of the client's private keys (*.pem); the first by name signs"
    )
    ehr_smart_token_url: str = Field(
        "", description="FHIR: https:// URL of the token endpoint; none: as .well-known/smart-configuration says"
    )
    ehr_smart_scopes: str = Field(
        "system/Patient.rs system/Encounter.rs system/Observation.crus",
        description="FHIR: scopes that are asked for, separated by spaces",
    )
    flowsheet_file: Path | None = Field(
        None, description="hl7v2-oru: TOML file of the site's flowsheet (docs/conformance/flowsheet.md)"
    )
    oracle_file: Path | None = Field(
        None,
        description="fhir-r4-oracle: TOML file of the site's codes and nurses (docs/conformance/fhir-r4-oracle.md)",
    )
    recorder_folder: Path | None = Field(
        None, description="recorder: folder of its files (docs/conformance/recorder.md)"
    )
    authority_systems: dict[str, str] = Field(
        default_factory=dict, description="FHIR, recorder: JSON, assigning authority to identifier system at the EHR"
    )
    policy: str = Field("default", description="Built-in charting policy: default or demo")
    policy_file: Path | None = Field(
        None, description="TOML file of the site's charting policy (docs/charting.md); what it leaves out is built in"
    )
    interval_seconds: float | None = Field(
        None, gt=0, description="Interval of summaries instead of the built-in policy's; not beside a policy file"
    )
    audit_anchor_path: Path | None = Field(None, description="File outside the database that keeps the audit's head")
    audit_anchor_seconds: float = Field(60.0, gt=0, description="How often the audit's head is written there")
    audit_signing_key: Path | None = Field(
        None,
        description="PEM file with the private key (P-384, no passphrase) that signs for months of the audit trail "
        "before they are dropped; only `neopain retention run` needs it",
    )
    audit_public_keys: Path | None = Field(
        None, description="PEM file with the public keys of all that have signed so, one after another"
    )
    retention_entries_days: int | None = Field(
        None, ge=1, description="How long entries with their deliveries and reviews are kept; none: for good"
    )
    retention_alerts_days: int | None = Field(
        None, ge=1, description="How long alerts with their events are kept; none: for good"
    )
    retention_audit_months: int | None = Field(
        None, ge=1, description="How many whole months of the audit trail are kept before this one; none: for good"
    )
    aggregates_kept_days: int = Field(
        7, ge=1, le=366, description="How long aggregates of 10 s are kept, in whole days"
    )
    sweep_seconds: float = Field(2.0, gt=0, description="How often beat looks for due outbox rows")
    retry_first_seconds: float = Field(1.0, gt=0, description="First wait after a failed delivery; it doubles")
    retry_longest_seconds: float = Field(60.0, gt=0, description="Longest wait between two deliveries of an entry")
    doubt_seconds: float = Field(10.0, ge=0, description="How long a request goes on at the EHR after it was given up")
    taken_seconds: float = Field(
        3600.0, ge=0, description="How long the EHR may take to show what it said that it took, before it gets it again"
    )
    held_retry_seconds: float = Field(600.0, gt=0, description="How often the EHR is asked again for a missing patient")
    breaker_failures: int = Field(
        5, ge=1, description="After so many deliveries in a row without an answer, the EHR is left alone"
    )
    breaker_seconds: float = Field(30.0, gt=0, description="For how long; then one delivery shows whether it is back")
    delivery_threads: int = Field(4, ge=1, le=64, description="Infants delivered for at the same time")
    consumer_name: str = Field(
        default_factory=socket.gethostname, description="This consumer's name in its group; kept over a restart"
    )

    @field_validator("database_url")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if not value.startswith("postgresql+psycopg2://"):
            raise ValueError("it begins with postgresql+psycopg2:// (SQLAlchemy 2.1 takes another driver otherwise)")
        try:
            port = make_url(value).port
        except (ArgumentError, ValueError):
            port = -1
        if port is not None and not 0 < port < 65536:
            # What is there is not repeated: it has the password.
            raise ValueError(
                "no URL of a database, expected postgresql+psycopg2://user:password@host:port/database, with %40, %2F, "
                "%3A for @ / : in the password"
            )
        return value

    @field_validator("policy")
    @classmethod
    def _is_a_policy(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"there are the policies {', '.join(POLICIES)}")
        return value

    @model_validator(mode="after")
    def _embedded_is_fhir(self) -> Self:
        if self.ehr_is_embedded and self.ehr_channel != "fhir-r4":
            raise ValueError("EHR_IS_EMBEDDED: the embedded EHR speaks FHIR, and no other may get demo and test input")
        return self

    @model_validator(mode="after")
    def _batches_are_r4(self) -> Self:
        if self.ehr_batch_seconds and self.ehr_channel != "fhir-r4":
            raise ValueError("EHR_BATCH_SECONDS: only the channel fhir-r4 sends batches")
        return self

    @model_validator(mode="after")
    def _audit_outlives_what_it_tells_of(self) -> Self:
        days = max(self.retention_entries_days or 0, self.retention_alerts_days or 0)
        is_for_good = self.retention_entries_days is None or self.retention_alerts_days is None
        if self.retention_audit_months is not None and (is_for_good or self.retention_audit_months * 28 < days):
            raise ValueError("RETENTION_AUDIT_MONTHS: the audit trail is kept no shorter than entries and alerts are")
        return self

    def database_roles(self) -> Roles:
        """The roles that a migration is to grant to."""
        return Roles(self.database_writer_role, self.database_reader_role)

    def charting_policies(self) -> SitePolicies:
        """The policies in force; ``ConfigurationError`` when they cannot be."""
        policy = POLICIES[self.policy]
        if self.policy_file is not None:
            if self.interval_seconds is not None:
                raise ConfigurationError(
                    "NEOPAIN_CHARTING_INTERVAL_SECONDS and NEOPAIN_CHARTING_POLICY_FILE are both set: the file says it"
                )
            return read_policy(self.policy_file, policy)
        if self.interval_seconds is not None:
            interval = timedelta(seconds=self.interval_seconds)
            policy = replace(policy, interval=interval, distance=min(policy.distance, interval / 2))
        return SitePolicies(policy)

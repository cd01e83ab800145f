"""The part of the Helm chart's ``values.schema.json`` that the settings classes decide: which settings a site may give.

``python -m neopain.bootstrap.configuration`` writes it; a test fails when it is stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from neopain.bootstrap.places import root_folder
from neopain.charting.api.settings import ApiSettings
from neopain.dashboard.settings import DashboardSettings
from neopain.ingest.settings import IngestSettings
from neopain.scoring.settings import ScoringSettings

SETTINGS: Mapping[str, type[BaseSettings]] = {
    "ingest": IngestSettings,
    "scoring": ScoringSettings,
    "charting": ApiSettings,
    "dashboard": DashboardSettings,
}

WRITTEN_BY_THE_CHART = frozenset(
    {
        *(
            f"NEOPAIN_{service}_HTTP_{part}"
            for service in ("INGEST", "SCORING", "CHARTING", "DASHBOARD")
            for part in ("HOST", "PORT")
        ),
        *(f"NEOPAIN_INGEST_HL7_{part}" for part in ("HOST", "PORT", "DRAIN_SECONDS", "SOURCES")),
        *(f"NEOPAIN_INGEST_HL7_TLS_{part}" for part in ("CERTIFICATE", "KEY", "CLIENT_CA")),
        *(f"NEOPAIN_INGEST_DEVICE_{part}" for part in ("HOST", "PORT", "DRAIN_SECONDS", "CREDENTIALS")),
        *(f"NEOPAIN_INGEST_DEVICE_TLS_{part}" for part in ("CERTIFICATE", "KEY", "CLIENT_CA")),
        *(f"NEOPAIN_INGEST_DICOM_{part}" for part in ("HOST", "PORT", "DRAIN_SECONDS", "SPOOL", "RESERVE_BYTES")),
        *(f"NEOPAIN_INGEST_DICOM_TLS_{part}" for part in ("CERTIFICATE", "KEY", "CLIENT_CA")),
        *(f"NEOPAIN_INGEST_DICOM_WEB_{part}" for part in ("HOST", "PORT", "CREDENTIALS")),
        *(f"NEOPAIN_INGEST_DICOM_WEB_TLS_{part}" for part in ("CERTIFICATE", "KEY", "CLIENT_CA")),
        "NEOPAIN_INGEST_CAMERAS",
        *(f"NEOPAIN_INGEST_CAMERA_{part}" for part in ("GROUP", "FINDER", "FINDER_MODEL", "DRAIN_SECONDS")),
        *("NEOPAIN_INGEST_VITAL_CODES", "NEOPAIN_INGEST_DRUG_CODES", "NEOPAIN_INGEST_DICOM_CALLERS"),
        *("NEOPAIN_SCORING_TRITON_URL", "NEOPAIN_SCORING_MODEL_REPOSITORY"),
        *("NEOPAIN_SCORING_PARALLEL", "NEOPAIN_SCORING_WORKER_NAME"),
        *("NEOPAIN_CHARTING_DATABASE_URL", "NEOPAIN_CHARTING_BROKER_URL", "NEOPAIN_CHARTING_CONSUMER_NAME"),
        *("NEOPAIN_CHARTING_DATABASE_WRITER_ROLE", "NEOPAIN_CHARTING_DATABASE_READER_ROLE"),
        *("NEOPAIN_CHARTING_AUDIT_SIGNING_KEY", "NEOPAIN_CHARTING_AUDIT_PUBLIC_KEYS"),
        *("NEOPAIN_CHARTING_AUDIT_ANCHOR_PATH", "NEOPAIN_CHARTING_POLICY_FILE", "NEOPAIN_CHARTING_FLOWSHEET_FILE"),
        *("NEOPAIN_CHARTING_EHR_CHANNEL", "NEOPAIN_CHARTING_EHR_URL", "NEOPAIN_CHARTING_EHR_SMART_KEYS"),
        *("NEOPAIN_CHARTING_ORACLE_FILE", "NEOPAIN_CHARTING_RECORDER_FOLDER"),
        *(f"NEOPAIN_CHARTING_EHR_TLS_{part}" for part in ("CA", "CERTIFICATE", "KEY")),
        *(f"NEOPAIN_CHARTING_API_{part}" for part in ("HOST", "PORT", "URL", "ISSUER", "JWKS_URL", "BEHIND_TLS_PROXY")),
        *("NEOPAIN_CHARTING_API_RESOLVES_BEDS", "NEOPAIN_CHARTING_API_CLIENT_KEYS"),
        *(f"NEOPAIN_CHARTING_API_TLS_{part}" for part in ("CERTIFICATE", "KEY")),
        *(f"NEOPAIN_CHARTING_API_SUBSCRIPTION_TLS_{part}" for part in ("CA", "CERTIFICATE", "KEY")),
        *(f"NEOPAIN_DASHBOARD_{part}" for part in ("HOST", "PORT", "URL", "FHIR_URL", "BEHIND_TLS_PROXY")),
        *(f"NEOPAIN_DASHBOARD_OPENID_{part}" for part in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET_FILE")),
        *(f"NEOPAIN_DASHBOARD_TLS_{part}" for part in ("CERTIFICATE", "KEY")),
    }
)
"""They follow from other values of the chart; given once more they would contradict them."""

NOT_FOR_A_CLUSTER = frozenset(
    {
        "NEOPAIN_CHARTING_API_LOCAL_ISSUER",  # of one machine
        *(
            f"NEOPAIN_DASHBOARD_{part}" for part in ("LOCAL_ISSUER", "LINKS", "LINK_SECONDS", "FHIR_TOKEN_FILE")
        ),  # likewise
        "NEOPAIN_DASHBOARD_PAGE",  # the image says where it is
        "NEOPAIN_CHARTING_API_JWKS_FILE",  # the chart takes the issuer's URL
        "NEOPAIN_CHARTING_EHR_IS_EMBEDDED",  # lets demo and test input into the chart of the EHR
    }
)


def schema_file() -> Path:
    """Where the schema lies."""
    return root_folder() / "deploy/helm/neopain/values.schema.json"


def open_settings(service: str) -> list[str]:
    """Names of the settings that a site may give under a service's ``settings``, without their prefix."""
    kind = SETTINGS[service]
    prefix = str(kind.model_config.get("env_prefix", ""))
    taken = WRITTEN_BY_THE_CHART | NOT_FOR_A_CLUSTER
    return sorted(name.upper() for name in kind.model_fields if f"{prefix}{name.upper()}" not in taken)


def schema_text() -> str:
    """The schema with today's settings."""
    schema: dict[str, Any] = json.loads(schema_file().read_text())
    for service in SETTINGS:
        schema["definitions"][f"{service}Settings"]["propertyNames"]["enum"] = open_settings(service)
    return json.dumps(schema, indent=2) + "\n"

"""Every metric of every service in one table: name, kind, unit, meaning. The first word is the service."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from prometheus_client import REGISTRY, Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric. Its Prometheus name is ``neopain_<name>``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper ends of a histogram's; empty: the client's own, up to 10."""


METRICS = (
    MetricSpec("ingest_messages_total", "counter", "1", "HL7 messages answered, by answer", ("answer",)),
    MetricSpec("ingest_acknowledgement_seconds", "histogram", "s", "Message complete to acknowledgement sent"),
    MetricSpec("ingest_samples_total", "counter", "1", "Vital samples put on the bus"),
    MetricSpec("ingest_unmapped_total", "counter", "1", "OBX codes that no table knows"),
    MetricSpec("ingest_skipped_total", "counter", "1", "OBX of a known kind that could not be used, by why", ("why",)),
    MetricSpec(
        "ingest_waveforms_total", "counter", "1", "Pieces of waveforms followed, by kind and joint", ("kind", "joint")
    ),
    MetricSpec("ingest_beats_total", "counter", "1", "Beat intervals found in waveforms, by validity", ("validity",)),
    MetricSpec(
        "ingest_census_events_total", "counter", "1", "ADT messages by trigger and effect", ("trigger", "effect")
    ),
    MetricSpec("ingest_queries_total", "counter", "1", "Queries of the census answered, by outcome", ("outcome",)),
    MetricSpec("ingest_drugs_total", "counter", "1", "Drugs that hide pain, by class and basis", ("drug", "basis")),
    MetricSpec("ingest_drug_codes_unknown_total", "counter", "1", "Orders and administrations of unknown drugs"),
    MetricSpec("ingest_connections", "gauge", "1", "Open MLLP connections"),
    MetricSpec("ingest_closed_total", "counter", "1", "MLLP connections closed by us, by why", ("why",)),
    MetricSpec(
        "ingest_certificate_end_seconds", "gauge", "s", "Unix time at which a door's own certificate ends", ("door",)
    ),
    MetricSpec(
        "ingest_certificate_reloads_total", "counter", "1", "Renewed certificates, by outcome", ("door", "outcome")
    ),
    MetricSpec("ingest_duplicates_total", "counter", "1", "Messages acknowledged again and not stored twice"),
    MetricSpec(
        "ingest_source_messages_total", "counter", "1", "HL7 messages of a source by answer", ("source", "answer")
    ),
    MetricSpec("ingest_source_rejects_total", "counter", "1", "HL7 messages rejected, by rule", ("source", "rule")),
    MetricSpec("ingest_source_last_heard_seconds", "gauge", "s", "When a source sent last, Unix time", ("source",)),
    MetricSpec("ingest_source_gaps_total", "counter", "1", "Silences between vitals longer than usual", ("source",)),
    MetricSpec("ingest_source_delay_seconds", "gauge", "s", "Smallest delay of the newest messages", ("source",)),
    MetricSpec(
        "ingest_source_acknowledgement_seconds_total", "counter", "s", "Taken to answered, all messages", ("source",)
    ),
    MetricSpec("ingest_receipts_lost_total", "counter", "1", "Receipts given up while the bus was away"),
    MetricSpec("ingest_frames_total", "counter", "1", "Camera frames taken, by what became of them", ("outcome",)),
    MetricSpec("ingest_device_messages_total", "counter", "1", "Device messages by answer", ("stream", "answer")),
    MetricSpec("ingest_device_streams", "gauge", "1", "Open streams of devices"),
    MetricSpec("ingest_device_denied_total", "counter", "1", "Device calls not let in, by why", ("stream", "why")),
    MetricSpec("ingest_device_given_up_total", "counter", "1", "Vitals messages that devices say they could not keep"),
    MetricSpec("ingest_audio_seconds_total", "counter", "s", "Sound put on the media server"),
    MetricSpec("ingest_camera_connected", "gauge", "1", "Whether a camera is connected", ("camera",)),
    MetricSpec("ingest_camera_failures_total", "counter", "1", "Connections that failed, by why", ("camera", "why")),
    MetricSpec("ingest_camera_damaged_total", "counter", "1", "Packets and frames not decoded whole", ("camera",)),
    MetricSpec("ingest_camera_dropped_total", "counter", "1", "Facts that found no media server in time", ("camera",)),
    MetricSpec("ingest_media_server_away", "gauge", "1", "Whether a door puts nothing on a media server", ("server",)),
    MetricSpec("ingest_camera_lag_seconds", "gauge", "s", "Delay of the last picture above the smallest", ("camera",)),
    MetricSpec("ingest_sound_level_dbfs", "gauge", "dBFS", "Level of a microphone's last second", ("camera",)),
    MetricSpec("ingest_sound_clipped_share", "gauge", "1", "Clipped share of a microphone's last second", ("camera",)),
    MetricSpec("ingest_dicom_objects_total", "counter", "1", "DICOM objects answered, by status", ("status",)),
    MetricSpec("ingest_dicom_associations", "gauge", "1", "Open DICOM associations"),
    MetricSpec("ingest_dicom_rejected_total", "counter", "1", "DICOM associations rejected or aborted by us", ("why",)),
    MetricSpec("ingest_dicom_web_connections", "gauge", "1", "Open connections to the DICOM web service"),
    MetricSpec(
        "ingest_dicom_web_requests_total", "counter", "1", "DICOM web requests answered, by HTTP status", ("status",)
    ),
    MetricSpec(
        "ingest_dicom_web_ended_total", "counter", "1", "DICOM web connections that ended without an answer", ("why",)
    ),
    MetricSpec("ingest_dicom_waiting", "gauge", "1", "DICOM objects in the spool that wait for their scores"),
    MetricSpec(
        "ingest_dicom_done_total", "counter", "1", "DICOM objects taken from the spool, by outcome", ("outcome",)
    ),
    MetricSpec("ingest_dead_letters_total", "counter", "1", "Input that could not be processed, kept raw", ("origin",)),
    MetricSpec("scoring_ticks_total", "counter", "1", "Ticks published by this ticker"),
    MetricSpec("scoring_media_servers_away", "gauge", "1", "Media servers that do not answer this ticker"),
    MetricSpec("scoring_windows_total", "counter", "1", "Windows done, by outcome", ("outcome",)),
    MetricSpec("scoring_latency_seconds", "histogram", "s", "Tick published to score published"),
    MetricSpec("scoring_queue_seconds", "histogram", "s", "Tick published to tick taken"),
    MetricSpec("scoring_read_seconds", "histogram", "s", "Reading a window from the streams"),
    MetricSpec("scoring_features_seconds", "histogram", "s", "From what was read to the arrays"),
    MetricSpec("scoring_inference_seconds", "histogram", "s", "Wait for a turn at Triton, and for its answer"),
    MetricSpec("scoring_publish_seconds", "histogram", "s", "Putting a score on the bus"),
    MetricSpec("scoring_retries_total", "counter", "1", "Windows tried again, by cause", ("cause",)),
    MetricSpec("charting_entries_total", "counter", "1", "Entries written, by kind", ("kind",)),
    MetricSpec("charting_late_scores_total", "counter", "1", "Scores that came after their interval was charted"),
    MetricSpec("charting_ahead_scores_total", "counter", "1", "Scores of a clock that was ahead, in no entry"),
    MetricSpec("charting_blinded_total", "counter", "1", "Entries kept blinded for a study, by kind", ("kind",)),
    MetricSpec("charting_held_total", "counter", "1", "Entries held, by reason", ("reason",)),
    MetricSpec(
        "charting_corrections_total",
        "counter",
        "1",
        "Entries that a later fact or a person corrected, by what was done with them",
        ("event",),
    ),
    MetricSpec("charting_deliveries_total", "counter", "1", "Deliveries to the EHR, by outcome", ("outcome",)),
    MetricSpec("charting_alerts_open", "gauge", "1", "Alerts that go on, by level", ("level",)),
    MetricSpec("charting_alert_events_total", "counter", "1", "Events of alerts, by kind and level", ("kind", "level")),
    MetricSpec(
        "charting_alert_acknowledgement_seconds",
        "histogram",
        "s",
        "Level reached to its acknowledgement by a person",
        buckets=(15, 30, 60, 120, 300, 600, 1800, 3600),
    ),
    MetricSpec("charting_outbox_rows", "gauge", "1", "Outbox rows not yet confirmed or accepted, and not unverified"),
    MetricSpec("charting_unverified_entries", "gauge", "1", "Entries that wait for a nurse, at an EHR that wants that"),
    MetricSpec(
        "charting_ehr_left_alone", "gauge", "1", "Whether delivery leaves the EHR alone, since it does not answer"
    ),
    MetricSpec("charting_api_requests_total", "counter", "1", "FHIR API requests answered, by status", ("status",)),
    MetricSpec("charting_api_seconds", "histogram", "s", "FHIR API: request read to answer made"),
    MetricSpec(
        "charting_certificate_end_seconds",
        "gauge",
        "s",
        "Unix time at which the certificate that the API, or we as a client, show ends",
        ("door",),
    ),
    MetricSpec(
        "charting_certificate_reloads_total", "counter", "1", "Renewed certificates, by outcome", ("door", "outcome")
    ),
    MetricSpec("charting_subscriptions", "gauge", "1", "Subscriptions of other readers, by status", ("status",)),
    MetricSpec(
        "charting_subscription_notifications_total",
        "counter",
        "1",
        "Notifications sent, by kind and outcome (taken, failed)",
        ("kind", "outcome"),
    ),
    MetricSpec("charting_subscription_events_waiting", "gauge", "1", "Events that their endpoints have not taken yet"),
    MetricSpec("charting_subscription_changes_waiting", "gauge", "1", "Changes that were not looked at yet"),
    MetricSpec("dashboard_requests_total", "counter", "1", "Requests answered, by what and status", ("what", "status")),
    MetricSpec("dashboard_fhir_seconds", "histogram", "s", "FHIR passed on: request read to answer made"),
    MetricSpec("dashboard_sessions", "gauge", "1", "People who are signed in"),
    MetricSpec("dashboard_streams", "gauge", "1", "Open streams of events"),
    MetricSpec(
        "dashboard_certificate_end_seconds", "gauge", "s", "Unix time at which its own certificate ends", ("door",)
    ),
    MetricSpec(
        "dashboard_certificate_reloads_total", "counter", "1", "Renewed certificates, by outcome", ("door", "outcome")
    ),
    MetricSpec("dashboard_sign_ins_total", "counter", "1", "Sign-ins, by outcome", ("outcome",)),
    MetricSpec("runtime_handler_failures_total", "counter", "1", "Entries whose handling failed, by error", ("error",)),
)

_KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
_SPECS = {spec.name: spec for spec in METRICS}
_MADE: dict[str, Counter | Gauge | Histogram] = {}


def counter(name: str) -> Counter:
    """The counter of that name in the table."""
    made = _metric(name)
    if not isinstance(made, Counter):
        raise TypeError(f"{name} is no counter")
    return made


@lru_cache(maxsize=4096)
def counted(name: str, *labels: str) -> Counter:
    """The counter of that name with these labels, kept found: for bounded sets of labels that are counted often."""
    return counter(name).labels(*labels)


@lru_cache(maxsize=4096)
def gauged(name: str, *labels: str) -> Gauge:
    """The gauge of that name with these labels, kept found like ``counted``."""
    return gauge(name).labels(*labels)


def gauge(name: str) -> Gauge:
    """The gauge of that name in the table."""
    made = _metric(name)
    if not isinstance(made, Gauge):
        raise TypeError(f"{name} is no gauge")
    return made


def histogram(name: str) -> Histogram:
    """The histogram of that name in the table."""
    made = _metric(name)
    if not isinstance(made, Histogram):
        raise TypeError(f"{name} is no histogram")
    return made


def _metric(name: str) -> Counter | Gauge | Histogram:
    if name not in _MADE:
        spec = _SPECS[name]
        more = {"buckets": spec.buckets} if spec.buckets else {}
        _MADE[name] = _KINDS[spec.kind](f"neopain_{spec.name}", spec.meaning, spec.labels, registry=REGISTRY, **more)
    return _MADE[name]

"""The commands that start a service's process. A process imports these alone, and none of the other commands."""

from __future__ import annotations

import argparse

from neopain.cli.grammar import Action, Commands, command, group


def add_service(commands: Commands[argparse.ArgumentParser], service: str) -> None:
    """The processes of one service."""
    own = group(commands, service, f"The {service} service's processes; settings NEOPAIN_{service.upper()}_*")
    for part, (text, action) in SERVICES[service].items():
        command(own, part, action, text)


def start(service: str, part: str) -> Action:
    """What runs one process of one service."""

    def action(_: argparse.Namespace) -> int:
        from neopain.bootstrap import services

        services.run(service, part)
        return 0

    return action


SERVICES: dict[str, dict[str, tuple[str, Action]]] = {
    "ingest": {
        "hl7": ("MLLP listener: vitals and census", start("ingest", "hl7")),
        "device": ("gRPC device API: frames, sound, vitals", start("ingest", "device")),
        "camera": ("Reads RTSP cameras and their microphones, one group per process", start("ingest", "camera")),
        "dicom": ("DICOM storage SCP and STOW-RS: video, sound and ECG objects, scored", start("ingest", "dicom")),
    },
    "scoring": {
        "ticker": ("Says once a second which windows are complete", start("scoring", "ticker")),
        "worker": ("Scores windows with Triton", start("scoring", "worker")),
    },
    "charting": {
        "migrate": ("Bring the database's schema up to date", start("charting", "migrate")),
        "consumer": ("Turns scores into entries", start("charting", "consumer")),
        "delivery": ("Celery worker: brings entries to the EHR", start("charting", "delivery")),
        "beat": ("Celery beat: looks for due entries", start("charting", "beat")),
        "api": ("FHIR R4 API for dashboards and other readers", start("charting", "api")),
    },
    "triton": {
        "serve": ("Triton Inference Server with the nets, as a container runs it", start("triton", "serve")),
    },
    "simulator": {
        "ward": ("Simulated infants at the doors of ingest", start("simulator", "ward")),
    },
}

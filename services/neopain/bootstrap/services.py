"""The services' processes: settings from the environment in, a run loop out."""

from __future__ import annotations

import gc
from collections.abc import Callable

from neopain.runtime.settings import BusSettings, read_settings

Start = Callable[[], None]


def run(service: str, part: str) -> None:
    """Runs one process of one service until it is asked to stop; ``ConfigurationError`` when it refuses to start."""
    # Modules stay to the end: the garbage collector need not look through them, neither while they come nor later.
    gc.disable()
    start = STARTS[service, part]()
    gc.freeze()
    gc.enable()
    start()


def _ingest_hl7() -> Start:
    from neopain.ingest.hl7.service import run_hl7
    from neopain.ingest.settings import IngestSettings

    return lambda: run_hl7(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_device() -> Start:
    from neopain.ingest.device.service import run_device
    from neopain.ingest.settings import IngestSettings

    return lambda: run_device(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_camera() -> Start:
    from neopain.ingest.camera.service import run_cameras
    from neopain.ingest.settings import IngestSettings

    return lambda: run_cameras(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_dicom() -> Start:
    from neopain.ingest.dicom.service import run_dicom
    from neopain.ingest.settings import IngestSettings

    return lambda: run_dicom(read_settings(IngestSettings), read_settings(BusSettings))


def _scoring_ticker() -> Start:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.ticker import run_ticker

    return lambda: run_ticker(read_settings(ScoringSettings), read_settings(BusSettings))


def _scoring_worker() -> Start:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.worker import run_worker

    return lambda: run_worker(read_settings(ScoringSettings), read_settings(BusSettings))


def _charting_migrate() -> Start:
    from neopain.charting.migrate import migrate
    from neopain.charting.settings import ChartingSettings

    def start() -> None:
        settings = read_settings(ChartingSettings)
        migrate(settings.database_url, roles=settings.database_roles())

    return start


def _charting_consumer() -> Start:
    from neopain.charting.service import run_charting
    from neopain.charting.settings import ChartingSettings

    return lambda: run_charting(read_settings(ChartingSettings), read_settings(BusSettings))


def _charting_delivery() -> Start:
    from neopain.charting.delivery import run_delivery_worker
    from neopain.charting.settings import ChartingSettings

    return lambda: run_delivery_worker(read_settings(ChartingSettings))


def _charting_beat() -> Start:
    from neopain.charting.beat import run_delivery_beat
    from neopain.charting.settings import ChartingSettings

    return lambda: run_delivery_beat(read_settings(ChartingSettings))


def _charting_api() -> Start:
    from neopain.bootstrap.held_beds import resolver
    from neopain.charting.api.service import run_api
    from neopain.charting.api.settings import ApiSettings

    def start() -> None:
        settings = read_settings(ApiSettings)
        run_api(settings, resolve_bed=resolver(read_settings(BusSettings)) if settings.api_resolves_beds else None)

    return start


def _dashboard_serve() -> Start:
    from neopain.bootstrap.dashboard import serve_dashboard

    return serve_dashboard


def _triton_serve() -> Start:
    from neopain.embedded.triton_service import TritonSettings, run_triton

    return lambda: run_triton(read_settings(TritonSettings))


def _simulator_ward() -> Start:
    from neopain.simulator.service import run_ward
    from neopain.simulator.settings import SimulatorSettings

    return lambda: run_ward(read_settings(SimulatorSettings))


STARTS: dict[tuple[str, str], Callable[[], Start]] = {
    ("ingest", "hl7"): _ingest_hl7,
    ("ingest", "device"): _ingest_device,
    ("ingest", "camera"): _ingest_camera,
    ("ingest", "dicom"): _ingest_dicom,
    ("scoring", "ticker"): _scoring_ticker,
    ("scoring", "worker"): _scoring_worker,
    ("charting", "migrate"): _charting_migrate,
    ("charting", "consumer"): _charting_consumer,
    ("charting", "delivery"): _charting_delivery,
    ("charting", "beat"): _charting_beat,
    ("charting", "api"): _charting_api,
    ("dashboard", "serve"): _dashboard_serve,
    ("triton", "serve"): _triton_serve,
    ("simulator", "ward"): _simulator_ward,
}

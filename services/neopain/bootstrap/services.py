"""The services' processes: settings from the environment in, a run loop out."""

from __future__ import annotations

from collections.abc import Callable

from neopain.runtime.settings import BusSettings, read_settings

Start = Callable[[], None]


def run(service: str, part: str) -> None:
    """Runs one process of one service until it is asked to stop; ``ConfigurationError`` when it refuses to start."""
    STARTS[service, part]()


def _ingest_hl7() -> None:
    from neopain.ingest.hl7.service import run_hl7
    from neopain.ingest.settings import IngestSettings

    run_hl7(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_device() -> None:
    from neopain.ingest.device.service import run_device
    from neopain.ingest.settings import IngestSettings

    run_device(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_camera() -> None:
    from neopain.ingest.camera.service import run_cameras
    from neopain.ingest.settings import IngestSettings

    run_cameras(read_settings(IngestSettings), read_settings(BusSettings))


def _ingest_dicom() -> None:
    from neopain.ingest.dicom.service import run_dicom
    from neopain.ingest.settings import IngestSettings

    run_dicom(read_settings(IngestSettings), read_settings(BusSettings))


def _scoring_ticker() -> None:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.ticker import run_ticker

    run_ticker(read_settings(ScoringSettings), read_settings(BusSettings))


def _scoring_worker() -> None:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.worker import run_worker

    run_worker(read_settings(ScoringSettings), read_settings(BusSettings))


def _charting_migrate() -> None:
    from neopain.charting.migrate import migrate
    from neopain.charting.settings import ChartingSettings

    migrate(read_settings(ChartingSettings).database_url)


def _charting_consumer() -> None:
    from neopain.charting.service import run_charting
    from neopain.charting.settings import ChartingSettings

    run_charting(read_settings(ChartingSettings), read_settings(BusSettings))


def _charting_delivery() -> None:
    from neopain.charting.delivery import run_delivery_worker
    from neopain.charting.settings import ChartingSettings

    run_delivery_worker(read_settings(ChartingSettings))


def _charting_beat() -> None:
    from neopain.charting.delivery import run_delivery_beat
    from neopain.charting.settings import ChartingSettings

    run_delivery_beat(read_settings(ChartingSettings))


def _charting_api() -> None:
    from neopain.charting.api.service import run_api
    from neopain.charting.api.settings import ApiSettings

    run_api(read_settings(ApiSettings))


def _dashboard_serve() -> None:
    from neopain.bootstrap.dashboard import serve_dashboard

    serve_dashboard()


def _triton_serve() -> None:
    from neopain.embedded.triton_service import TritonSettings, run_triton

    run_triton(read_settings(TritonSettings))


def _simulator_ward() -> None:
    from neopain.simulator.service import run_ward
    from neopain.simulator.settings import SimulatorSettings

    run_ward(read_settings(SimulatorSettings))


STARTS: dict[tuple[str, str], Start] = {
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

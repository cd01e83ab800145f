"""The services' processes: settings from the environment in, a run loop out."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from neopain.runtime.settings import BusSettings

    S = TypeVar("S", bound=BaseSettings)

Start = Callable[[], None]


def run(service: str, part: str) -> None:
    """Runs one process of one service until it is asked to stop; ``ConfigurationError`` when it refuses to start."""
    # Modules stay to the end: the garbage collector need not look through them, neither while they come nor later.
    # So this module imports nothing of ours before.
    gc.disable()
    # No package that happens to be installed beside us gets into our settings, and none is looked for.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    start = STARTS[service, part]()
    gc.freeze()
    gc.enable()
    start()


def _read(kind: type[S]) -> S:
    from neopain.runtime.settings import read_settings

    return read_settings(kind)


def _bus() -> BusSettings:
    from neopain.runtime.settings import BusSettings, read_settings

    return read_settings(BusSettings)


def _ingest_hl7() -> Start:
    from neopain.ingest.hl7.service import run_hl7
    from neopain.ingest.settings import IngestSettings

    return lambda: run_hl7(_read(IngestSettings), _bus())


def _ingest_device() -> Start:
    from neopain.ingest.device.service import run_device
    from neopain.ingest.settings import IngestSettings

    return lambda: run_device(_read(IngestSettings), _bus())


def _ingest_camera() -> Start:
    from neopain.ingest.camera.service import run_cameras
    from neopain.ingest.settings import IngestSettings

    return lambda: run_cameras(_read(IngestSettings), _bus())


def _ingest_dicom() -> Start:
    from neopain.ingest.dicom.service import run_dicom
    from neopain.ingest.settings import IngestSettings

    return lambda: run_dicom(_read(IngestSettings), _bus())


def _scoring_ticker() -> Start:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.ticker import run_ticker

    return lambda: run_ticker(_read(ScoringSettings), _bus())


def _scoring_worker() -> Start:
    from neopain.scoring.settings import ScoringSettings
    from neopain.scoring.worker import run_worker

    return lambda: run_worker(_read(ScoringSettings), _bus())


def _charting_migrate() -> Start:
    from neopain.charting.migrate import migrate
    from neopain.charting.settings import ChartingSettings

    def start() -> None:
        settings = _read(ChartingSettings)
        migrate(settings.database_url, roles=settings.database_roles())

    return start


def _charting_consumer() -> Start:
    from neopain.charting.service import run_charting
    from neopain.charting.settings import ChartingSettings

    return lambda: run_charting(_read(ChartingSettings), _bus())


def _charting_delivery() -> Start:
    from neopain.charting.delivery import run_delivery_worker
    from neopain.charting.settings import ChartingSettings

    return lambda: run_delivery_worker(_read(ChartingSettings))


def _charting_beat() -> Start:
    from neopain.charting.beat import run_delivery_beat
    from neopain.charting.settings import ChartingSettings

    return lambda: run_delivery_beat(_read(ChartingSettings))


def _charting_api() -> Start:
    from neopain.bootstrap.held_beds import resolver
    from neopain.charting.api.service import run_api
    from neopain.charting.api.settings import ApiSettings

    def start() -> None:
        settings = _read(ApiSettings)
        run_api(settings, resolve_bed=resolver(_bus()) if settings.api_resolves_beds else None)

    return start


def _dashboard_serve() -> Start:
    from neopain.bootstrap.dashboard import serve_dashboard

    return serve_dashboard


def _triton_serve() -> Start:
    from neopain.embedded.triton_service import TritonSettings, run_triton

    return lambda: run_triton(_read(TritonSettings))


def _simulator_ward() -> Start:
    from neopain.simulator.service import run_ward
    from neopain.simulator.settings import SimulatorSettings

    return lambda: run_ward(_read(SimulatorSettings))


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

"""``NEOPAIN_SCORING_*``: what the ticker and the worker are told."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from neopain.runtime.settings import ServiceSettings


class ScoringSettings(ServiceSettings):
    """Settings of both processes; each uses its part."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_SCORING_")

    triton_url: str = Field("127.0.0.1:8001", description="host:port of Triton's gRPC service")
    model_repository: Path | None = Field(
        None,
        description="Folder that Triton serves, with model.json, golden.npz, calibration.json; the worker needs it",
    )
    triton_model: str = Field("neopain", description="Name of the ensemble")
    triton_deadline: timedelta = Field(timedelta(seconds=5), description="How long one request to Triton may take")
    parallel: int = Field(2, ge=1, le=64, description="Windows that a worker has in hand at once")
    claim_after: timedelta = Field(
        timedelta(seconds=5), description="A tick that another worker has held for longer is taken over"
    )
    worker_name: str = Field("", description="The worker's own name in its group; host and process id if empty")
    most_distance: float | None = Field(
        None, gt=0, description="Abstain when a window is further from the training data (1 is their edge)"
    )
    widest_interval: float | None = Field(
        None, gt=0, le=10, description="Abstain when the 90 % interval is wider, on the scale 0..10"
    )
    ordered_block_withholds: bool = Field(
        False,
        description="Withhold scores also while a neuromuscular blocker is only ordered: for a site whose pharmacy "
        "sends orders (RDE) and no administrations (RAS)",
    )

    @property
    def consumer_name(self) -> str:
        """The worker's name in its consumer group."""
        return self.worker_name or f"{socket.gethostname()}-{os.getpid()}"

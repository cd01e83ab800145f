"""Puts the simulated infants into the demo's EHR, as a hospital's admission office would have."""

from __future__ import annotations

from neopain.bootstrap.fhir import put_resource
from neopain.simulator.ehr_seed import seed_resources


def seed_ehr(base_url: str, *, beds: int, seed: int) -> None:
    """Puts a Patient and an Encounter in progress for each infant of the ward; ``EhrUnavailable`` when it fails."""
    for resource in seed_resources(beds=beds, seed=seed):
        put_resource(base_url, resource)

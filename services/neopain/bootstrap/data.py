"""Data sets for training: looked through, and imported from public ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neopain.errors import ConfigurationError

if TYPE_CHECKING:
    from neopain.training.adapters.imported import Imported


@dataclass(frozen=True, slots=True)
class WfdbOptions:
    """Arguments of ``neopain data import wfdb``; empty ones are found out, or left open."""

    record: Path
    out: Path
    annotator: str = ""
    subject: str = ""
    site: str = "wfdb"
    licence: str = ""


def data_check(place: Path, *, workers: int, as_json: bool) -> int:
    """Prints what a data set holds and what is wrong with it; 0 when nothing is, else 1."""
    from neopain.training.dataset_check import check_dataset

    result = check_dataset(place, workers=workers)
    print(json.dumps(result.as_json()) if as_json else result.as_text())
    return 1 if result.findings else 0


def import_donate_a_cry(folder: Path, out: Path) -> int:
    """Imports the recordings below a folder and prints what became of them."""
    from neopain.training.adapters.donate_a_cry import import_donate_a_cry as run

    return _tell(run(folder, out))


def import_wfdb(options: WfdbOptions) -> int:
    """Imports the beats of a WFDB record and prints what became of them."""
    try:
        from neopain.training.adapters.wfdb import Origin
        from neopain.training.adapters.wfdb import import_wfdb as run
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{error.name} is missing: run './neopain install training'") from error
    origin = Origin(subject=options.subject, site=options.site, licence=options.licence)
    return _tell(run(options.record, options.out, annotator=options.annotator, origin=origin))


def _tell(imported: Imported) -> int:
    for line in imported.left_out:
        print(f"left out: {line}")
    print(f"{imported.manifest}: {imported.segments} segments")
    return 0

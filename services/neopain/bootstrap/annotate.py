"""``neopain annotate agreement``: reads a manifest, says how well its raters agree, writes the resolved labels."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neopain.codecs.manifest import read_manifest, write_manifest
from neopain.domain.annotation import Scale
from neopain.errors import ConfigurationError

if TYPE_CHECKING:
    from neopain.training.resolution import Resolution


@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """The arguments of the command; ``scale`` by its name in a manifest, ``threshold`` in points of that scale."""

    manifest: Path
    out: Path | None = None
    third_rater: Path | None = None
    sheet: Path | None = None
    threshold: float = 1.0
    scale: str = Scale.NIPS.value
    resamples: int = 2000
    as_json: bool = False


def run_agreement(options: AgreementOptions) -> int:
    """Prints the agreement and the disagreements, writes what was asked for, returns 0.

    ``ConfigurationError`` for input that allows no statement about agreement, and for files that cannot be read or
    written. Poor agreement is told and is no error: what to do about it is for people to decide.
    """
    _require_statistics()
    from neopain.training.agreement import agreement
    from neopain.training.agreement_report import as_json, as_text
    from neopain.training.rating_sheet import read_sheet, write_sheet
    from neopain.training.rating_table import rating_table, scale_named
    from neopain.training.resolution import disagreements, resolve

    scale = scale_named(options.scale)
    _check_out(options)
    segments = read_manifest(_read(options.manifest))
    third = read_sheet(_read(options.third_rater), scale) if options.third_rater else None
    found = agreement(rating_table(segments, scale), threshold=options.threshold, resamples=options.resamples)
    apart = disagreements(segments, scale, threshold=options.threshold)
    resolution = resolve(segments, scale, threshold=options.threshold, third=third)
    told = json.dumps(as_json(found, apart, resolution), allow_nan=False) if options.as_json else None
    print(told or "\n".join(as_text(found, apart, resolution)))
    if options.sheet:
        _write(options.sheet, write_sheet(apart, scale))
        _tell(options, f"sheet for the third rater: {options.sheet}")
    if options.out:
        _write_resolved(options.out, resolution, scale)
        _tell(options, f"resolved labels: {options.out}{_moved(options.out, options.manifest)}")
    return 0


def _require_statistics() -> None:
    if find_spec("scipy") is None:
        raise ConfigurationError("scipy is not installed: run './neopain install training', then try again")


def _check_out(options: AgreementOptions) -> None:
    inputs = {path.resolve() for path in (options.manifest, options.third_rater) if path}
    for path in (options.out, options.sheet):
        if path is None:
            continue
        if path.resolve() in inputs:
            raise ConfigurationError(f"{path} is an input, the ratings in it would be lost; name another file")
        if not path.resolve().parent.is_dir():
            raise ConfigurationError(f"{path.parent} is no folder; make it first")
    if options.out and options.sheet and options.out.resolve() == options.sheet.resolve():
        raise ConfigurationError(f"{options.out} is named for the labels and for the sheet; name two files")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{path} cannot be read: {reason}") from error


def _write(path: Path, text: str) -> None:
    """Replaces the file whole; a reader never sees a part."""
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _write_resolved(path: Path, resolution: Resolution, scale: Scale) -> None:
    if not resolution.resolved:
        raise ConfigurationError(
            f"no segment has a resolved {scale.value} label, {path} is not written; give a third rater's scores"
        )
    _write(path, write_manifest(resolution.kept))


def _moved(out: Path, manifest: Path) -> str:
    """A word for labels that lie elsewhere than their recordings."""
    if out.resolve().parent == manifest.resolve().parent:
        return ""
    return f"; its recordings are sought beside it: put it into the folder of {manifest} to train on it"


def _tell(options: AgreementOptions, text: str) -> None:
    print(f"neopain: {text}", file=sys.stderr if options.as_json else sys.stdout)

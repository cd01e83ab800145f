"""The folder that an import writes: media first, the manifest last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neopain.codecs.manifest import write_manifest
from neopain.domain.annotation import Segment
from neopain.errors import ConfigurationError
from neopain.training.windows import MANIFEST


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import: the manifest, how many segments it holds, and a line for each file left out."""

    manifest: Path
    segments: int
    left_out: tuple[str, ...] = ()


def open_folder(out: Path) -> Path:
    """The folder, made where it is missing; ``ConfigurationError`` when it holds a data set already."""
    if (out / MANIFEST).exists():
        raise ConfigurationError(f"{out / MANIFEST} is there already: give a folder without a data set")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{out} cannot be made ({error.strerror}): give a folder that can be written"
        ) from error
    return out


def finish(out: Path, segments: Sequence[Segment], left_out: Sequence[str] = ()) -> Imported:
    """Writes the manifest: from now on the folder is a data set."""
    manifest = out / MANIFEST
    manifest.write_text(write_manifest(segments), encoding="utf-8")
    return Imported(manifest, len(segments), tuple(left_out))

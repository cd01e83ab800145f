"""Donate-a-cry: recordings of crying infants that parents uploaded, with their guess of the reason.

For telling cries from other sounds, not for pain: nobody rated these, and the reasons are unchecked. A file's name is
``<app>-<epoch>-<version>-<sex>-<age>-<reason>``: the app's UUID, seconds (iOS) or milliseconds (Android) since 1970,
``m`` or ``f``, an age and a reason of two characters (github.com/gveres/donateacry-corpus). The folders do not matter:
raw uploads and folders by class are both read; of an upload that lies in both, the cleaned WAV is taken. Data:
ODbL 1.0, contents: DbCL 1.0.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.errors import ConfigurationError, UnreadableRecording
from neopain.training.adapters.imported import Imported, finish, open_folder
from neopain.training.media import sound_seconds

SITE: Final = "donate-a-cry"
LICENCE: Final = "ODbL-1.0"
SUFFIXES: Final = frozenset({".wav", ".3gp", ".caf", ".m4a", ".mp4"})

REASONS: Final = {
    "hu": "hungry",
    "bu": "burping",
    "bp": "belly-pain",
    "dc": "discomfort",
    "ti": "tired",
    "lo": "lonely",
    "ch": "cold-or-hot",
    "sc": "scared",
    "dk": "unknown",
}
AGES: Final = {"04": 14, "48": 42, "26": 122, "72": 472, "22": None}
"""Days in the middle of 0 to 4 weeks, 4 to 8 weeks, 2 to 6 months, 7 months to 2 years; above 2 years has no middle."""
SEXES: Final = {"m": "male", "f": "female"}

_NAME = re.compile(
    r"(?P<app>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-(?P<epoch>\d{10}|\d{13})"
    rf"-[\d.]+-(?P<sex>[mf])-(?P<age>{'|'.join(AGES)})-(?P<reason>{'|'.join(REASONS)})",
    re.ASCII | re.IGNORECASE,
)
_NOT_RECORDED: Final = Availability(reason="not-recorded")


@dataclass(frozen=True, slots=True)
class _Upload:
    path: Path
    app: str
    epoch: str
    sex: str
    age_days: int | None
    reason: str


def import_donate_a_cry(folder: Path, out: Path) -> Imported:
    """Copies the recordings below ``folder`` into a data set at ``out``, one segment for each.

    The class is the procedure, as ``cry:hungry``. One app is one infant, so that a home is never on both sides of a
    split; its sex is left open where its uploads disagree. Files with other names, files that cannot be decoded, and
    second files of an upload are left out and told. ``ConfigurationError`` when nothing is left, or ``out`` holds a
    data set already.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    uploads: dict[str, _Upload] = {}
    left_out = []
    # WAV first, then in the order of names: the first file of an upload is taken.
    for path in sorted(files, key=lambda path: path.suffix.lower() != ".wav"):
        upload = _upload(path)
        if upload is None:
            left_out.append(f"{path.name}: no name of Donate-a-cry")
        elif (taken := uploads.setdefault(path.stem.lower(), upload)) is not upload:
            left_out.append(f"{path.relative_to(folder)}: the same upload as {taken.path.relative_to(folder)}")
    if not uploads:
        raise ConfigurationError(
            f"{folder} holds no recording with a name of Donate-a-cry (uuid-epoch-version-sex-age-reason.wav): "
            "give the folder with the corpus"
        )
    sexes = _sexes(uploads.values())
    audio = open_folder(out) / "audio"
    audio.mkdir(exist_ok=True)
    segments = []
    for upload in sorted(uploads.values(), key=lambda one: one.path.name):
        name = upload.path.name
        try:
            seconds = sound_seconds(upload.path)
        except UnreadableRecording as error:
            left_out.append(str(error))
            continue
        shutil.copyfile(upload.path, audio / name)
        segments.append(_segment(upload, sexes[upload.app], f"audio/{name}", seconds))
    if not segments:
        raise ConfigurationError(f"no recording below {folder} can be decoded, the first: {left_out[0]}")
    return finish(out, segments, left_out)


def _upload(path: Path) -> _Upload | None:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return None
    sex, age, reason = (name[group].lower() for group in ("sex", "age", "reason"))
    return _Upload(path, name["app"].lower(), name["epoch"], SEXES[sex], AGES[age], REASONS[reason])


def _sexes(uploads: Iterable[_Upload]) -> dict[str, str]:
    found: dict[str, str] = {}
    for upload in uploads:
        if found.setdefault(upload.app, upload.sex) != upload.sex:
            found[upload.app] = ""
    return found


def _segment(upload: _Upload, sex: str, path: str, seconds: float) -> Segment:
    return Segment(
        subject=Subject(upload.app, SITE, age_days=upload.age_days, sex=sex),
        session=upload.epoch,
        id=upload.path.stem,
        start_seconds=0.0,
        end_seconds=round(seconds, 6),
        recorded={
            Recorded.VIDEO: _NOT_RECORDED,
            Recorded.AUDIO: Availability(path),
            Recorded.VITALS: _NOT_RECORDED,
        },
        ratings=(),
        procedure=f"cry:{upload.reason}",
        licence=LICENCE,
    )

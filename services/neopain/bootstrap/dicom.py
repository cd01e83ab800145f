"""``neopain dicom info``: what a DICOM object holds, as far as it is read here; nothing of the patient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from neopain.codecs.dicom.acquired import Acquired
from neopain.codecs.dicom.instance import Instance, read_instance
from neopain.codecs.dicom.video import EncapsulatedVideo
from neopain.codecs.dicom.waveform import Channel, Code, MultiplexGroup
from neopain.errors import ConfigurationError, MalformedMessage, UnreadableRecording


def dicom_info(path: Path, *, zone: str, as_json: bool) -> int:
    """Prints what the object holds; ``UnreadableRecording`` names the file and the rule that it breaks."""
    try:
        site_zone = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(f"--zone: {zone} is no IANA time zone that this machine knows") from error
    try:
        with path.open("rb") as file:
            instance = read_instance(file, site_zone=site_zone)
    except OSError as error:
        raise UnreadableRecording(f"{path}: cannot be opened ({error.strerror})") from error
    except MalformedMessage as error:
        raise UnreadableRecording(f"{path}: {error}") from error
    print(json.dumps(as_object(instance)) if as_json else as_text(instance))
    return 0


def as_object(instance: Instance) -> dict[str, Any]:
    """The object for a machine."""
    return {
        "sop_class": {"uid": instance.sop_class.uid, "name": instance.sop_class.name},
        "sop_instance_uid": instance.uid,
        "transfer_syntax": {"uid": instance.syntax.uid, "name": instance.syntax.name},
        "modality": instance.modality,
        "content": instance.sop_class.content.value,
        "acquired": _acquired(instance.acquired),
        "video": _video(instance.video),
        "groups": [_group(group) for group in instance.groups],
        "notes": list(instance.notes),
    }


def as_text(instance: Instance) -> str:
    """The object for a reader."""
    lines = [
        f"{instance.sop_class.name}  ({instance.sop_class.content.value}, modality {instance.modality or '-'})",
        f"object           {instance.uid}",
        f"transfer syntax  {instance.syntax.name}",
        f"acquired         {_acquired_text(instance.acquired)}",
    ]
    if instance.video is not None:
        lines.append(f"video            {_video_text(instance.video)}")
    for number, group in enumerate(instance.groups, start=1):
        lines += [f"group {number}          {_group_text(group)}"]
        lines += [f"  {_channel_text(channel)}" for channel in group.channels]
    return "\n".join([*lines, *(f"note: {note}" for note in instance.notes)])


def _acquired(acquired: Acquired | None) -> dict[str, str] | None:
    if acquired is None:
        return None
    return {
        "utc": acquired.moment.isoformat(),
        "text": acquired.text,
        "attribute": acquired.keyword,
        "zone": acquired.zone.value,
    }


def _acquired_text(acquired: Acquired | None) -> str:
    if acquired is None:
        return "not told"
    return f"{acquired.moment.isoformat()}  ({acquired.keyword} {acquired.text}, {acquired.zone.value})"


def _video(video: EncapsulatedVideo | None) -> dict[str, Any] | None:
    if video is None:
        return None
    return {
        "codec": video.codec,
        "columns": video.columns,
        "rows": video.rows,
        "frames": video.frames,
        "rate_hz": video.rate_hz,
        "bytes": video.length,
        "fragments": len(video.spans),
    }


def _video_text(video: EncapsulatedVideo) -> str:
    rate = "rate not told" if video.rate_hz is None else f"{video.rate_hz:g}/s"
    fragments = "1 fragment" if len(video.spans) == 1 else f"{len(video.spans)} fragments"
    size = f"{video.columns}x{video.rows}, {video.frames} frames, {rate}"
    return f"{video.codec}, {size}, {video.length} bytes in {fragments}"


def _group(group: MultiplexGroup) -> dict[str, Any]:
    return {
        "rate_hz": group.rate_hz,
        "samples": group.samples,
        "seconds": group.seconds,
        "offset_seconds": group.offset_seconds,
        "bits": group.bits,
        "interpretation": group.interpretation,
        "channels": [_channel(channel) for channel in group.channels],
    }


def _group_text(group: MultiplexGroup) -> str:
    begins = f", begins {group.offset_seconds:g} s later" if group.offset_seconds else ""
    form = f"{group.interpretation} of {group.bits} bits"
    return f"{group.samples} samples at {group.rate_hz:g} Hz ({group.seconds:g} s), {form}{begins}"


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "label": channel.label,
        "source": _code(channel.source),
        "unit": _code(channel.unit),
        "sensitivity": channel.sensitivity,
        "baseline": channel.baseline,
        "skew_seconds": channel.skew_seconds,
    }


def _channel_text(channel: Channel) -> str:
    unit = channel.unit.value if channel.unit else "of no told unit"
    source = f"{channel.source.scheme} {channel.source.value} {channel.source.meaning}" if channel.source else "-"
    return f"{channel.label or '-':<16} {source}: 1 = {channel.sensitivity:g} {unit}, 0 = {channel.baseline:g}"


def _code(code: Code | None) -> dict[str, str] | None:
    return None if code is None else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}

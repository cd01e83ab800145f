"""An edge gateway in one file: reads a camera or a video file, or makes up a heart, and sends it to the device API.

    PYTHONPATH=services python examples/edge_gateway.py --target 127.0.0.1:50051 --bed NICU/1/1@H --seconds 10
    ... --camera 0            a camera of this machine      --video FILE   a recording, as if it were live
    ... --ca ca.pem           the authority of the server's certificate: TLS
    ... --certificate gw.pem --key gw.key                  the gateway's own, for mutual TLS

The token comes from NEOPAIN_TOKEN, since other users of a machine read its command lines. What is sent is marked as
training (MSH-11 T) until --production says that it comes from a real infant. Ends with 0 when all has its receipt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from neopain.client.channel import Target
from neopain.client.device import DeviceClient
from neopain.client.stream import DeviceStream
from neopain.errors import BufferFull, ConfigurationError
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2

BEATS_EVERY_SECONDS = 0.5
FRAMES_PER_SECOND = 7.5
CLOSE_SECONDS = 0.01
"""A picture this much before it is due is the one."""


def heart_beats(began: float) -> Iterator[tuple[float, float]]:
    """Times of beats and the RR intervals before them in ms: a made-up infant of about 140 beats a minute."""
    at = began
    while True:
        rr = 0.428 + 0.02 * math.sin(2 * math.pi * 0.7 * (at - began))
        at += rr
        yield at, rr * 1000


async def send_vitals(device: DeviceClient, bed: str, until: float) -> None:
    """Each half second, the beats since the last time. A monitor's driver would stand here."""
    beats = heart_beats(time.time())
    at, rr = next(beats)
    while time.time() < until:
        await asyncio.sleep(BEATS_EVERY_SECONDS)
        values = []
        while at <= time.time():
            values.append(pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=rr, source_us=int(at * 1e6)))
            at, rr = next(beats)
        if values:
            send_newest(device.vitals, pb.DeviceVitals(bed=bed, values=values))


def send_newest(vitals: DeviceStream[pb.DeviceVitals], message: pb.DeviceVitals) -> None:
    """Sends the message; where no more can be held, in the place of the oldest."""
    try:
        vitals.send(message)
    except BufferFull as full:
        # Half a day without a server: the newest matter more. The server is told what it will never get.
        vitals.give_up_oldest(1000)
        print(full, file=sys.stderr)
        vitals.send(message)


async def send_frames(device: DeviceClient, bed: str, until: float, source: str) -> None:
    """Frames of a camera or a file, as JPEG; what cannot be sent in time is dropped by the client, oldest first."""
    camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not camera.isOpened():
        raise ConfigurationError(f"{source} gives no picture")
    begun = time.time()
    due = 0.0
    while time.time() < until:
        await asyncio.sleep(max(begun + due - time.time(), 0.0))
        at = time.time() - begun
        if source.isdecimal():
            found, picture = await asyncio.to_thread(camera.read)
        else:
            at, found, picture = await asyncio.to_thread(read_from, camera, due)
            await asyncio.sleep(max(begun + at - time.time(), 0.0))
        if not found:
            break
        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        taken = int((begun + at) * 1e6)
        device.frames.send(pb.DeviceFrame(bed=bed, format=pb.PIXEL_FORMAT_JPEG, data=jpeg, source_us=taken))
        due = max(at + 1 / FRAMES_PER_SECOND, time.time() - begun)
    camera.release()


def read_from(video: cv2.VideoCapture, seconds: float) -> tuple[float, bool, cv2.typing.MatLike]:
    """The first picture of a file from that time on: its time in the file, whether there is one, and the picture."""
    found = video.grab()
    while found and video.get(cv2.CAP_PROP_POS_MSEC) / 1000 < seconds - CLOSE_SECONDS:
        found = video.grab()
    at = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
    is_there, picture = video.retrieve()
    return at, found and is_there, picture


async def run(options: argparse.Namespace) -> int:
    """Sends for as long as asked, waits for the receipts, prints what became of it all."""
    target = Target(options.target, os.environ.get("NEOPAIN_TOKEN", ""), options.ca, options.certificate, options.key)
    until = time.time() + options.seconds
    async with DeviceClient(target, device=options.device, processing="P" if options.production else "T") as device:
        source = options.camera or options.video
        if source:
            await send_frames(device, options.bed, until, source)
        else:
            await send_vitals(device, options.bed, until)
        is_settled = await device.settled(within_seconds=options.wait)
        stream = device.frames if source else device.vitals
        count = stream.count
        print(
            json.dumps(
                {
                    "taken": count.taken,
                    "accepted": count.accepted,
                    "refused": count.refused,
                    "dropped": count.dropped,
                    "breaks": count.breaks,
                    "trouble": stream.trouble,
                }
            )
        )
    return 0 if is_settled and not count.refused else 1


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], epilog="The token comes from NEOPAIN_TOKEN."
    )
    parser.add_argument("--target", required=True, help="host:port of the device API")
    parser.add_argument("--bed", required=True, help="unit/room/bed@facility")
    parser.add_argument("--device", default="edge-gateway", help="its name in the site's file")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for how long; until stopped without it")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds that receipts may take at the end")
    parser.add_argument("--camera", default="", help="number of a camera of this machine")
    parser.add_argument("--video", default="", help="a video file")
    parser.add_argument("--production", action="store_true", help="it comes from a real infant")
    for name in ("--ca", "--certificate", "--key"):
        parser.add_argument(name, type=Path)
    try:
        return asyncio.run(run(parser.parse_args()))
    except (ConfigurationError, OSError) as error:
        print(f"edge_gateway: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

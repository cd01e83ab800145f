"""The Minimal Lower Layer Protocol (HL7 v2 Transport, release 1): bytes of a connection <-> whole messages. No I/O.

A frame is ``0x0B message 0x1C 0x0D``. What real senders do besides is met here: any cut of the byte stream, several
messages at once, bytes between frames, doubled start or end blocks, an end block without its carriage return, and a
message whose end block is missing. What a message holds is left to ``hl7v2``.
"""

from __future__ import annotations

from dataclasses import dataclass

START = b"\x0b"
END = b"\x1c"
TAIL = b"\x1c\x0d"
_BLANK = b"\r\n\x00 "
HEAD_BYTES = 4096
"""How much of a message that is too long is kept, so that the answer can name it."""

NO_END_BLOCK = "the message has no end block (0x1C) and breaks off within a segment"
TOO_LONG = "the message is longer than this listener takes"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message without its envelope; ``fault`` says why it must not be believed, and is empty for a whole one."""

    payload: bytes
    fault: str = ""


def encode(message: bytes) -> bytes:
    """The message in its envelope; ``ValueError`` if it holds a byte that would end or start a frame."""
    if START in message or END in message:
        raise ValueError("an MLLP message cannot hold 0x0B or 0x1C")
    return START + message + TAIL


class Decoder:
    """Takes the bytes of one connection as they come and gives frames; any cut of the bytes gives the same ones.

    A message above ``longest`` bytes gives one frame with its head and a fault; after it the decoder takes nothing
    more (``is_broken``), and the connection should be answered and closed.
    """

    def __init__(self, *, longest: int = 1_048_576) -> None:
        self.longest = longest
        self.skipped = 0
        """Bytes that lay outside of any frame, line ends apart: a sender that does not frame shows here."""
        self.is_broken = False
        self._message: bytearray | None = None

    @property
    def is_within_frame(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._message is not None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete, in order."""
        if self._message is None and not self.is_broken and self._is_one_frame(data):
            return [Frame(data[1 : -len(TAIL)])]
        frames: list[Frame] = []
        position = 0
        while position < len(data) and not self.is_broken:
            if self._message is None:
                position = self._find_start(data, position)
            else:
                position = self._take(self._message, data, position, frames)
        return frames

    def _is_one_frame(self, data: bytes) -> bool:
        """Whether these bytes are one frame as the standard has it, with something in it: what most senders send."""
        return (
            data.startswith(START)
            and data.endswith(TAIL)
            and data.find(END) == len(data) - len(TAIL)
            and data.rfind(START) == 0
            and len(data) - len(START + TAIL) <= self.longest
            and bool(data[1 : -len(TAIL)].strip(_BLANK))
        )

    def _find_start(self, data: bytes, position: int) -> int:
        start = data.find(START, position)
        between = data[position:] if start < 0 else data[position:start]
        self.skipped += sum(byte not in b"\r\n\x1c" for byte in between)
        if start < 0:
            return len(data)
        self._message = bytearray()
        return start + 1

    def _take(self, message: bytearray, data: bytes, position: int, frames: list[Frame]) -> int:
        end = _first(data.find(END, position), data.find(START, position), len(data))
        message += data[position:end]
        if len(message) > self.longest:
            frames.append(Frame(bytes(message[: min(HEAD_BYTES, self.longest)]), TOO_LONG))
            self.is_broken = True
            self._message = None
        elif end < len(data):
            self._close(message, data[end : end + 1], frames)
            return end + 1
        return end

    def _close(self, message: bytearray, mark: bytes, frames: list[Frame]) -> None:
        # A start block within a message stands for the end block that its sender forgot: the message is whole if
        # its last segment is, else it was cut off and a value in it may be too.
        is_cut = mark == START and not message.endswith((b"\r", b"\n"))
        if message.strip(_BLANK):
            frames.append(Frame(bytes(message), NO_END_BLOCK if is_cut else ""))
        self._message = bytearray() if mark == START else None


def _first(*positions: int) -> int:
    return min(position for position in positions if position >= 0)

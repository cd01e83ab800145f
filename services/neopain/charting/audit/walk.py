"""Walking a chain row by row, wherever its rows come from: names the first that is not what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from neopain.charting.audit.chain import BEGINNING, Content, row_hash
from neopain.charting.audit.checkpoint import Piece

Row = tuple[Content, str, str]
"""Content, previous hash, own hash."""
Fault = tuple[int, str]
"""The position of the first broken row, and what is wrong with it."""


@dataclass(slots=True)
class Walk:
    """A chain while it is walked: its last good row, what anchors say of others, and what was dropped by checkpoints.

    ``pieces`` by their first position. ``rows`` are those that were there.
    """

    chain: str
    anchored: Mapping[int, str] = field(default_factory=dict)
    pieces: Mapping[int, Piece] = field(default_factory=dict)
    position: int = 0
    hash: str = BEGINNING
    rows: int = 0
    dropped: int = 0
    fault: Fault | None = None

    def take(self, rows: Iterable[Row]) -> None:
        """Walks over the rows, in the order of their positions, up to the first fault."""
        for content, previous_hash, hashed in rows:
            if content.position != self.position + 1:
                self._skip_dropped(before=content.position)
            fault = self.fault or self._fault(content, previous_hash, hashed)
            if fault:
                self.fault = fault
                return
            self.position, self.hash = content.position, hashed
            self.rows += 1

    def end(self) -> None:
        """Walks over what was dropped after the last row."""
        if self.fault is None:
            self._skip_dropped(before=None)

    def _skip_dropped(self, *, before: int | None) -> None:
        while (before is None or self.position + 1 < before) and (piece := self.pieces.get(self.position + 1)):
            if piece.previous_hash != self.hash:
                self.fault = (piece.first, "the checkpoint of what was dropped here is of another chain")
                return
            self.position, self.hash = piece.last, piece.hash
            self.dropped += piece.last - piece.first + 1

    def _fault(self, content: Content, previous_hash: str, hashed: str) -> Fault | None:
        expected = self.position + 1
        # Of two rows that disagree about a position, the earlier one is where it broke.
        place = min(content.position, expected)
        if content.position > expected:
            return place, f"the row is missing; the next one is {content.position}"
        if content.position < expected:
            return place, "there is a second row in this place"
        if previous_hash != self.hash:
            return place, "its previous hash is not the hash of the row before"
        if row_hash(content, previous_hash) != hashed:
            return place, "its content is not what was hashed"
        if self.anchored.get(content.position, hashed) != hashed:
            return place, "the anchor outside the database has another hash for it: the chain was written anew"
        return None


def pieces_of(rows: Iterable[Row]) -> list[Piece]:
    """The rows of one chain, in the order of their positions, as pieces without a gap.

    Rows of a month are not quite one piece: who has waited for the chain's head is recorded with an earlier time.
    """
    pieces: list[Piece] = []
    for content, previous_hash, hashed in rows:
        last = pieces[-1] if pieces else None
        if last is not None and content.position == last.last + 1:
            pieces[-1] = Piece(last.chain, last.first, content.position, last.previous_hash, hashed)
        else:
            pieces.append(Piece(content.chain, content.position, content.position, previous_hash, hashed))
    return pieces

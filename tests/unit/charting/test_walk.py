"""Walking a chain: what a checkpoint stands for is passed over only where it fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from neopain.charting.audit.chain import BEGINNING, Content, row_hash
from neopain.charting.audit.checkpoint import Piece
from neopain.charting.audit.walk import Row, Walk, pieces_of

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def chain(length: int) -> list[Row]:
    rows, previous = [], BEGINNING
    for position in range(1, length + 1):
        content = Content("charting", position, NOON, "x", "test", "", "", "{}")
        hashed = row_hash(content, previous)
        rows.append((content, previous, hashed))
        previous = hashed
    return rows


def walked(rows: list[Row], pieces: list[Piece]) -> Walk:
    walk = Walk("charting", pieces={piece.first: piece for piece in pieces})
    walk.take(rows)
    walk.end()
    return walk


@pytest.mark.parametrize("gone", [{1, 2, 3}, {4, 5}, {9, 10}, {1, 3, 5, 6}, set(range(1, 11))])
def test_what_was_dropped_is_passed_over_wherever_it_was(gone: set[int]) -> None:
    rows = chain(10)
    pieces = pieces_of(row for row in rows if row[0].position in gone)

    walk = walked([row for row in rows if row[0].position not in gone], pieces)

    assert (walk.fault, walk.position, walk.hash) == (None, 10, rows[-1][2])
    assert (walk.rows, walk.dropped) == (10 - len(gone), len(gone))


def test_rows_that_are_missing_beside_a_checkpoint_are_named() -> None:
    rows = chain(10)

    walk = walked(rows[5:], pieces_of(rows[:4]))

    assert walk.fault == (5, "the row is missing; the next one is 6")


def test_a_checkpoint_of_another_chain_is_not_passed_over() -> None:
    rows = chain(10)
    (piece,) = pieces_of(rows[3:5])

    walk = walked([*rows[:3], *rows[5:]], [replace(piece, previous_hash="f" * 64)])

    assert walk.fault == (4, "the checkpoint of what was dropped here is of another chain")


def test_a_row_after_a_checkpoint_that_ends_with_another_hash_is_named() -> None:
    rows = chain(10)
    (piece,) = pieces_of(rows[:5])

    walk = walked(rows[5:], [replace(piece, hash="f" * 64)])

    assert walk.fault == (6, "its previous hash is not the hash of the row before")


def test_rows_with_gaps_are_pieces_without() -> None:
    rows = chain(6)

    pieces = pieces_of([rows[0], rows[1], rows[3], rows[5]])

    assert [(piece.first, piece.last) for piece in pieces] == [(1, 2), (4, 4), (6, 6)]
    assert (pieces[1].previous_hash, pieces[1].hash) == (rows[2][2], rows[3][2])

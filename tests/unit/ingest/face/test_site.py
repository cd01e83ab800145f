from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.ingest.face.site import SiteBox

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = SiteBox(FaceBox(40, 60, 100, 120, 1), 320, 240)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((240, 320), FaceBox(40, 60, 100, 120, 1)),
        ((480, 640), FaceBox(80, 120, 200, 240, 1)),
        ((240, 360), FaceAbsence.OTHER_FRAME),
        ((320, 240), FaceAbsence.OTHER_FRAME),
    ],
)
def test_the_site_s_box_follows_the_size_but_not_the_shape_of_the_picture(
    size: tuple[int, int], box: FaceBox | FaceAbsence
) -> None:
    assert SITE.locate(np.zeros((*size, 3), np.uint8), NOON) == box

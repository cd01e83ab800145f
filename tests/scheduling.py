"""In which order tests come, and which files of a run in several processes go to one of them."""

from __future__ import annotations

from zlib import crc32

from xdist.scheduler import LoadFileScheduling

REAL_NETS = (
    "tests/e2e/test_bench.py",
    "tests/e2e/test_demo.py",
    "tests/e2e/test_score.py",
    "tests/faults/test_line.py",
    "tests/integration/evaluation/",
    "tests/integration/models/",
    "tests/integration/scoring/test_nets.py",
)
"""Each of these needs a core for the nets that are served. Two at once would only wait for one another, and miss their
windows."""
BROWSER = ("tests/e2e/dashboard/",)
"""All of these have one browser, and one hospital before it: another process would start its own."""

LONG = ("tests/conformance/", "tests/e2e/", "tests/faults/")
"""Files that take up to a minute and more, of which most is waiting."""
MIDDLING = ("tests/integration/", "tests/unit/models/", "tests/unit/training/")
"""Files that take seconds: some wait, and some compute."""


def place(nodeid: str) -> tuple[int, int]:
    """Where a test comes: files that take long are dealt out first, so that all processes end at nearly the same time.

    Those that wait come mixed with those that compute, by a checksum, so that there is always something to compute.
    """
    if nodeid.startswith(LONG):
        return 0, 0
    if nodeid.startswith(MIDDLING):
        return 1, crc32(nodeid.partition("::")[0].encode())
    return 2, 0


class KeptTogether(LoadFileScheduling):
    """Files stay whole; those with the real nets come one after another, and those with the browser."""

    def _split_scope(self, nodeid: str) -> str:
        """What stays together, as xdist's own schedulers say it."""
        for name, together in (("real nets", REAL_NETS), ("browser", BROWSER)):
            if nodeid.startswith(together):
                return name
        return super()._split_scope(nodeid)

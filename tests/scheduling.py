"""Which files of a run in several processes go to one of them."""

from __future__ import annotations

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


class KeptTogether(LoadFileScheduling):
    """Files stay whole; those with the real nets come one after another, and those with the browser."""

    def _split_scope(self, nodeid: str) -> str:
        """What stays together, as xdist's own schedulers say it."""
        for name, together in (("real nets", REAL_NETS), ("browser", BROWSER)):
            if nodeid.startswith(together):
                return name
        return super()._split_scope(nodeid)

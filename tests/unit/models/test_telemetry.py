"""What is done with nets is reported to nobody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.torch

CONVERTS = """
import os
forks = []
os.register_at_fork(before=lambda: forks.append(1))
from pathlib import Path
import numpy as np
import torch
from neopain.features.signature import TensorSpec
from neopain.models.graph import NetSpec
from neopain.models.quantise import compress, convert
net = NetSpec("any", (TensorSpec("X", (4,), np.float32, ""),), (TensorSpec("Y", (2,), np.float32, ""),))
compress(convert(torch.nn.Linear(4, 2), net))
print(len(forks))
"""


def test_a_conversion_forks_no_process_that_could_report_it() -> None:
    outside_of_ci = {name: value for name, value in os.environ.items() if name != "CI"}
    outside_of_ci["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", CONVERTS], env=outside_of_ci, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0"


def test_the_module_that_reports_cannot_be_imported() -> None:
    import neopain.models  # noqa: F401 -- what bars it

    with pytest.raises(ImportError):
        __import__("openvino_telemetry")

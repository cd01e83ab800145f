"""The nets: three encoders and a fusion head, their export, and the engines that run them under Triton."""

import sys

# Where OpenVINO and NNCF find this module they report their use to its maker, from a forked process. A bedside reports
# to nobody, and a fork beside running threads can hang the parent (docs/adr/0012).
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

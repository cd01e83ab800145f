"""Triton loads this; the net and its engine are neopain.models'."""

from neopain.models.triton_shell import NetModel as TritonPythonModel

__all__ = ["TritonPythonModel"]

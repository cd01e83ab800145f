"""Scoring: says which windows are complete, and scores each with Triton."""

"""Checkpoints that others published, read into our backbones: their layouts, their files, and what fits."""

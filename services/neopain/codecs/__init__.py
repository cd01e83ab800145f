"""Protocols as bytes to domain values and back; pure, no I/O."""

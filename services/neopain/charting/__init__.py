"""Charting: scores become entries, entries reach the EHR, and every step leaves a row that cannot be altered unseen."""

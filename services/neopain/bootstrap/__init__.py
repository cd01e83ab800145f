"""Puts the rooms together: which services run with which settings, on which servers."""

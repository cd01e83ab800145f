"""Figures of agreement, error, doubt and comparison: arrays in, numbers with their intervals out.

One rule for all: an empty sample, one that holds NaN or infinity, or one that leaves the figure undefined (a
correlation with a constant) gives NaN, never an exception and never a figure of the rest: who leaves rows out says so.
Arrays whose lengths differ are ``ContractBroken``.
"""

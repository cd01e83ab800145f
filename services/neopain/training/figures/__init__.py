"""What an evaluation measures, each part as a JSON-like dictionary; ``training.evaluate`` puts them together.

An estimate is ``{"value", "low", "high"}`` with the ends of its 95 % interval; None is what the data cannot tell.
"""

"""neopain: continuous pain scores for newborns from what is already at the bedside. Investigational software."""

__version__ = "0.1.0"

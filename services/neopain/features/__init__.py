"""From the items of a window to the arrays of the model; pure."""

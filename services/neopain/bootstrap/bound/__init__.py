"""``neopain simulate bound``: how well windows of simulated infants can be scored at all, from what is there."""

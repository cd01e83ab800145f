"""``neopain bench faults``: charting to an EHR that fails, while its processes and servers are killed."""

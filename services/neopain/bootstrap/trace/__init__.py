"""``neopain trace``: one message's way from its receipt to the EHR, from what is kept and from nothing else."""

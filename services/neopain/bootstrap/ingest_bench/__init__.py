"""``neopain bench ingest``: how many messages a second one core stores and acknowledges, beside two other listeners."""

"""Redis Streams: where services meet. Payloads are opaque bytes here; ``wire`` knows what is in them."""

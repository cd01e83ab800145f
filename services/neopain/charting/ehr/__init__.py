"""EHR channels: one port (``channel``), an adapter for each kind of EHR."""

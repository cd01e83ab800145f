"""RTSP cameras with their microphones: pulled from their addresses, decoded, and published like any other media."""

"""The gRPC device API: an edge gateway or a camera host streams frames, sound and vitals."""

"""Frames and sound on their way to the media server: decoded, cropped, measured, resampled. The same for live devices
and for recordings."""

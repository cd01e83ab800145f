"""Recordings: files of video, sound and HL7 v2 text, sent through the same streams as a live bed; never charted."""

"""DICOM objects to domain values: what an object is, when it was acquired, its waveforms, where its video lies.

Pure, and blind on purpose: only the attributes named in these tables are read. Who the patient is, is not among them.
"""

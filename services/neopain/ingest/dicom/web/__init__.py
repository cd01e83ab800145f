"""The DICOM web service: objects by STOW-RS (PS3.18, 10.5), into the same spool as by C-STORE."""

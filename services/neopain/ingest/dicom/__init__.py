"""The door for DICOM: a storage SCP, a web service, their spool, and what is received as recordings; never charted."""

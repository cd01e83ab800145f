"""The door for DICOM: a storage SCP, its spool, and what is received as recordings of their own; never charted."""

"""HL7 v2: text of a message <-> domain values. Pure; how the bytes travel is ``mllp``'s, where values go is ingest's.

``message`` knows segments, fields and escapes; ``header`` MSH; ``time`` the forms of a time; ``identity`` who and
where; ``pcd01`` vitals; ``adt`` patient administration; ``pcim`` associations of devices; ``query`` questions of the
census; ``ack`` and ``query_answer`` the answers.
"""

"""The FHIR R4 API: charted entries, the census and the audit trail for readers, and a nurse's review of an entry.

It writes nothing else but who has read what.
"""

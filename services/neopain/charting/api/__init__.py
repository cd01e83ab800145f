"""The FHIR R4 API for dashboards and other readers: charted entries, the census, the audit trail.

It writes nothing but who has read what.
"""

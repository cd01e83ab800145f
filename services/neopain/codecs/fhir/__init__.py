"""FHIR R4: domain values to resources and what an EHR answers to values. Pure; sends nothing."""

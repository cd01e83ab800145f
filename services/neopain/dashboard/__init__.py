"""The dashboard's server: the built page, sign-in, and FHIR passed on with a token that the browser never sees.

It talks FHIR only. The page itself is in ``page/``.
"""

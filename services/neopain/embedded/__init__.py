"""Starts real servers on one machine as child processes: the bus, media, PostgreSQL, Triton and the demo EHR.

Embedded means only this: start the servers, then run the same services with the same settings as in a hospital.
Nothing in here knows what travels through the servers.
"""

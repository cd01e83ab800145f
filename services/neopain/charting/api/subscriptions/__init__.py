"""Subscriptions: what other readers asked to be told, and telling them (Subscriptions R5 Backport IG 1.1, rest-hook).

A change becomes events of the subscriptions that want it in one transaction (``fan_out``); ``notifier`` sends them in
the order of their numbers until the endpoint has taken them. Rows are the truth: what a killed process was about to
write is sent once more, under the same number.
"""

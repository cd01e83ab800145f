"""The furniture that every service has: settings, run loop, signals, health, metrics, log, clock, back-off."""

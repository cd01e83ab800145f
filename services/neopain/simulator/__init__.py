"""A bedside that isn't there: infants with known pain, and the monitors, cameras and microphones that see them."""

"""From rated recordings to weights: data sets, training, calibration, evaluation. Knows the nets, not the services."""

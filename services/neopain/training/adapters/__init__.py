"""Public data sets as folders with a manifest, so that the rest of training knows one format only."""

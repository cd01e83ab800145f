"""The report of an evaluation: figures and predictions to one HTML page, a model card and a TRIPOD+AI checklist."""

"""Scoring: predictions for all rows of a dataset, by a job."""

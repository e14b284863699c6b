"""Training: from a dataset to a version, by a job."""

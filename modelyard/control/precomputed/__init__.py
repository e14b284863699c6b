"""Precomputed answers: from a scoring to a file that the data plane tells single answers from."""

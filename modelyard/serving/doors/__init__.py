"""Thin ways in: each turns its transport into `core.begin(request, done)`."""

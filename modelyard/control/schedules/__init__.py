"""Schedules: what is started again and again, by the clock or when a dataset arrives."""

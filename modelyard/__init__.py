"""Modelyard turns a trained Python model into a governed, monitored prediction service."""

__version__ = "0.1.0"

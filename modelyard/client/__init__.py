"""The Python client: pushes models to a Modelyard server, changes what serves, and asks for predictions."""

from modelyard.client.choosing import Comparison, Selection
from modelyard.client.client import Client
from modelyard.client.records import Alias, Answer, Dataset, Deployment, Key, Model, Preview, Tenant, Version

__all__ = [
    "Alias",
    "Answer",
    "Client",
    "Comparison",
    "Dataset",
    "Deployment",
    "Key",
    "Model",
    "Preview",
    "Selection",
    "Tenant",
    "Version",
]

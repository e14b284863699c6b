"""The control plane: Django apps that own all truth."""

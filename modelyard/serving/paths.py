"""Which addresses belong to the data plane; all others are the control plane's."""


def is_data_path(path: str) -> bool:
    """Tell whether the data plane answers this (percent-decoded) path."""
    return path.startswith(("/predict/", "/v2/", "/precomputed/")) or path in ("/predict", "/v2", "/precomputed")

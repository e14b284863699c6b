from pathlib import Path

import pytest

from modelyard.core.errors import Misconfigured
from modelyard.sandbox import layers
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.process import usage


def test_the_folder_beside_the_package_is_not_readable() -> None:
    """The embedded default keeps its database there."""
    home = layers.PACKAGE.parent
    assert layers.PACKAGE in layers.readable()
    assert not any(home.is_relative_to(path) for path in layers.readable())


def test_a_missing_layer_refuses_unless_asked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "missing", lambda: ["landlock: not here"])
    with pytest.raises(Misconfigured, match=r"landlock: not here"):
        layers.require(Limits())
    layers.require(Limits(unsafe_without_sandbox=True))


def test_usage_counts_all_depths_and_stops_early(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"x" * 8192)
    size, entries = usage(tmp_path, 100)
    assert entries == 3
    assert size >= 8192
    assert usage(tmp_path, 1)[1] == 2

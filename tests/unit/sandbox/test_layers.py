import ctypes.util
import sys
from pathlib import Path

import pytest

from modelyard.core.errors import Misconfigured
from modelyard.sandbox import layers, seccomp
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


def test_a_layer_that_was_missed_once_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is found by programs that are started for it: one that is killed must not count for ever."""
    told = iter(["the package pyseccomp cannot be used: Unable to find libseccomp", None])
    monkeypatch.setattr(layers, "_whole", [])
    monkeypatch.setattr(layers.landlock, "abi", lambda: 3)
    monkeypatch.setattr(layers.seccomp, "missing", lambda: next(told))
    assert [text.partition(":")[0] for text in layers.missing()] == ["seccomp"]
    assert layers.missing() == []
    assert layers.missing() == []  # and then it is not looked for again


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is a part of Linux")
def test_the_filters_library_is_found_without_a_program_that_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is killed would have a version refused for good."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.delitem(sys.modules, "pyseccomp", raising=False)
    assert seccomp.missing() is None

"""Ports that can, and cannot, be listened on."""

import socket

import pytest

from modelyard.cli.ports import check_port
from modelyard.core.errors import Misconfigured


def test_a_free_port_passes_and_stays_free(free_port: int) -> None:
    check_port("127.0.0.1", free_port)
    check_port("127.0.0.1", free_port)


def test_a_used_port_is_refused_with_a_free_one(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(Misconfigured) as raised:
        check_port("127.0.0.1", free_port)
    assert f"port {free_port} of 127.0.0.1 is in use" in raised.value.message
    other = int(raised.value.message.rpartition("--port ")[2])
    assert other > free_port
    check_port("127.0.0.1", other)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Misconfigured, match="MODELYARD_HOST"):
        check_port("192.0.2.1", 18000)

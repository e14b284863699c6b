"""How a connection is ended from this side."""

import socket
import ssl

import pytest

from modelyard.config.broker import hang_up


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_who_reads_from_a_connection_that_was_hung_up_finds_it_lost(is_encrypted: bool) -> None:
    """By what Celery takes for a lost connection: no bytes, or an `OSError`."""
    ours, theirs = socket.socketpair()
    with theirs:
        connected = ours
        if is_encrypted:
            connected = ssl.create_default_context().wrap_socket(
                ours, do_handshake_on_connect=False, server_hostname="broker"
            )
        with connected:
            connected.settimeout(5)
            hang_up(connected)
            try:
                read = connected.read if isinstance(connected, ssl.SSLSocket) else connected.recv
                assert read(1) == b""
            except TimeoutError:
                raise
            except OSError:
                pass
            theirs.close()
            hang_up(connected)

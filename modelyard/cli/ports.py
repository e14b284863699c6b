"""Whether a port can be listened on."""

import errno
import socket

from modelyard.core.errors import Misconfigured

NEIGHBOURS = 50


def check_port(host: str, port: int, *, option: str = "--port") -> None:
    """Check that nothing listens on the port, and that this user may.

    Raises:
        Misconfigured: naming the next free port.
    """
    error = _try(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        free = next(
            (other for other in range(port + 1, min(port + NEIGHBOURS, 65536)) if _try(host, other) is None), None
        )
        other = f", or take another: {option} {free}" if free else ""
        raise Misconfigured(f"port {port} of {host} is in use: stop what listens there{other}")
    if error.errno in (errno.EACCES, errno.EPERM):
        raise Misconfigured(f"this user may not listen on port {port}: take one above 1023, as {option} 8000")
    raise Misconfigured(
        f"{host}:{port} cannot be listened on ({error.strerror or error}): MODELYARD_HOST names the address"
    )


def _try(host: str, port: int) -> OSError | None:
    """Listen for a moment, as the server will: addresses that only wait for stray packets do not count as used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        return error
    return None

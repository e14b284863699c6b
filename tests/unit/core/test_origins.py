"""What is an origin, and what is told about it."""

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.origins import MAX_LENGTH, allowing, preflight, read_origin


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://app.example", "https://app.example"),
        ("  https://app.example\n", "https://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("https://app.example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("https://app.example:0443", "https://app.example"),
        ("https://app.example:8443/", "https://app.example:8443"),
        ("https://app.example:80", "https://app.example:80"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_app.example", "https://my_app.example"),
        ("https://intranet", "https://intranet"),
        ("https://192.0.2.7:9000", "https://192.0.2.7:9000"),
        ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("http://app.localhost:3000", "http://app.localhost:3000"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_read_as_browsers_send_it(given: str, read: str) -> None:
    assert read_origin(given) == read
    assert read_origin(read) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "0 characters: expected 1 to"),
        ("   ", "0 characters: expected 1 to"),
        ("*", "let pages of strangers in"),
        ("https://*.example", "let pages of strangers in"),
        ("null", "sandboxed frames"),
        ("https://a.example, https://b.example", "several"),
        ("https://a.example,https://b.example", "several"),
        ("https://a.example https://b.example", "several"),
        ("http://app.example", "plain http"),
        ("http://192.168.1.5", "plain http"),
        ("http://127.0.0.1.example", "plain http"),
        ("http://localhost.example", "plain http"),
        ("http://[2001:db8::1]", "plain http"),
        ("app.example", "no scheme"),
        ("//app.example", "no scheme"),
        ("https:app.example", "no scheme"),
        ("file:///home", "no scheme"),
        ("ftp://app.example", "no scheme"),
        ("chrome-extension://abcdef", "no scheme"),
        ("javascript:alert(1)", "no scheme"),
        ("https://app.example/path", "more than an origin: expected https://app.example"),
        ("https://app.example//", "more than an origin"),
        ("https://app.example?x", "more than an origin"),
        ("https://app.example#x", "more than an origin"),
        ("https://app.example?", "more than an origin"),
        ("https://app.example\\evil", "more than an origin"),
        ("https://ada:secret@app.example", "names nobody"),
        ("https://app.example:", "no port after the colon"),
        ("https://app.example:0", "no port after the colon"),
        ("https://app.example:65536", "cannot be read"),
        ("https://app.example:x", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://[v1.x]", "no IPv6"),
        ("https://", "no host name"),
        ("https://:8443", "no host name"),
        ("https://bücher.example", "xn--"),
        ("https://app.example.", "no host name"),
        ("https://-app.example", "no host name"),
        ("https://a..example", "no host name"),
        ("https://app;example", "no host name"),
        ("https://app\0.example", "no host name"),
        ("https://127.1", "no IPv4"),
        ("https://0x7f.0.0.0x1", "no IPv4"),
        ("https://256.1.1.1", "no IPv4"),
        ("https://" + "a" * 64 + ".example", "no host name"),
        ("https://" + "a." * 125 + "example", "no host name"),
        ("https://" + "a" * MAX_LENGTH, "characters: expected 1 to 267"),
        ("x" * 1_000_000, "1000000 characters"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(given: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_origin(given)
    assert said in caught.value.message
    assert caught.value.message.startswith("origin: ")
    assert len(caught.value.message) < 600
    assert "secret" not in caught.value.message


def test_the_longest_origin_is_kept_whole() -> None:
    host = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(host) == 253
    assert len(read_origin(f"https://{host}:65535")) == MAX_LENGTH


def test_nothing_lets_cookies_cross() -> None:
    told = (*allowing(b"https://app.example"), *preflight(b"https://app.example", "GET", private_network=True))
    assert b"access-control-allow-credentials" not in {name for name, _ in told}
    assert b"*" not in {value for _, value in told}


def test_private_networks_are_opened_only_when_asked_for() -> None:
    name = b"access-control-allow-private-network"
    assert name not in dict(preflight(b"https://app.example", "GET", private_network=False))
    assert dict(preflight(b"https://app.example", "GET", private_network=True))[name] == b"true"

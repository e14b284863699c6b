"""HTTP beneath the client: addresses, time-outs, repeats, and the server's errors as our own classes."""

import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import msgspec

import modelyard
from modelyard.core.errors import InvalidInput, ModelyardError, NotAcceptable, Unavailable

API = "/api/v1"
EXAMPLE_URL = "http://127.0.0.1:8000"
TRIES = 3
LONGEST_WAIT_SECONDS = 5.0
RETRIED = frozenset({502, 503, 504})


def _classes(root: type[ModelyardError] = ModelyardError) -> dict[str, type[ModelyardError]]:
    """Return each code's class; a class without a code of its own, as the command has one, is never raised here."""
    found = {root.code: root}
    for child in root.__subclasses__():
        found = _classes(child) | found
    return found


CLASSES = _classes()


def check_url(url: str) -> str:
    """Return `url` without a slash at its end.

    Raises:
        InvalidInput: when it is no http(s) address of a server, or holds a password.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):  # among them a port or a name that cannot be
        fits = False
    if not fits or url != "".join(url.split()) or "?" in url or "#" in url:
        raise InvalidInput(f"{_without_password(url)!r} is no address of a server: expected one like {EXAMPLE_URL}")
    if parts.password:
        raise InvalidInput("the server's address holds a password: give the key as `key` instead")
    return url.rstrip("/")


def _without_password(url: str) -> str:
    """Return `url` without what stands before an @, which may be a secret."""
    return url if "@" not in url else "...@" + url.rpartition("@")[2]


def is_loopback(url: str) -> bool:
    """Tell whether `url` is this machine's own: no proxy leads there, whatever the environment says."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def told(consumers: bool) -> dict[str, bool]:
    """Return what a body says of consumers who were told."""
    return {"despite_consumers": True} if consumers else {}


def despite(consumers: bool) -> str:
    """Return the query that says that those who depend on it were told, where they were."""
    return "?despite_consumers=true" if consumers else ""


def error_from(response: httpx2.Response) -> ModelyardError:
    """Read the server's error body into the class of its code; another body becomes an error that names the status."""
    try:
        error = msgspec.json.decode(response.content)["error"]
        code, message = str(error["code"]), str(error["message"])
        details = dict(error.get("details") or {})
        details["request_id"] = error.get("request_id", "")
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        kind = Unavailable if response.status_code in RETRIED else ModelyardError
        return not_ours(response, "no error of Modelyard's", kind)
    made = CLASSES.get(code, ModelyardError)(message)
    made.details = details if code in CLASSES else {**details, "code": code}
    return made


def not_ours(response: httpx2.Response, found: str, kind: type[ModelyardError] = ModelyardError) -> ModelyardError:
    """Return the error for an answer that no Modelyard gives."""
    where = f"{response.request.method} {response.request.url.path}"
    text = f"{where} was answered with status {response.status_code} and {found}"
    return kind(f"{text}: is this the address of a Modelyard server?", status=response.status_code)


class Transport:
    """One server, one key, one pool of connections. May be used from several threads.

    Args:
        url: of the server, as `http://127.0.0.1:8000`.
        key: an API key; it is sent to this server only, since redirects are not followed.
        timeout_seconds: for connecting, and between two pieces of an answer.
        through: what carries requests, instead of a network: an application in this process, say.
    """

    def __init__(
        self, url: str, key: str | None, timeout_seconds: float, through: httpx2.BaseTransport | None = None
    ) -> None:
        self.url = check_url(url)
        headers = {"user-agent": f"modelyard/{modelyard.__version__}", "accept": "application/json"}
        if key:
            if not key.isascii() or not key.isprintable() or " " in key:
                raise InvalidInput("the key holds spaces or characters that no key has: expected one like yard_...")
            headers["authorization"] = f"Bearer {key}"
        self._http = httpx2.Client(
            headers=headers,
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=not is_loopback(url),
            transport=through,
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Transport":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the decoded JSON at `path`; asked again after a broken connection or a 502, 503 or 504."""
        response = self.send("GET", path, params=params, tries=TRIES)
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError as error:
            raise not_ours(response, "no JSON") from error

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Give each item of a list, page by page."""
        query = dict(params or {})
        while True:
            page = self.get(path, query)
            if isinstance(page, list):
                yield from page
                return
            if not isinstance(page, dict) or not isinstance(page.get("results"), list):
                raise ModelyardError(f"{self.url}{path} gives no list: is this the address of a Modelyard server?")
            yield from page["results"]
            if not page.get("next"):
                return
            query |= dict(parse_qsl(urlsplit(page["next"]).query))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        tries: int = 1,
        repeat_only_if_told: bool = False,
        **more: Any,
    ) -> httpx2.Response:
        """Send a request and return its answer, which is a success.

        Args:
            tries: how often it may be sent in all.
            repeat_only_if_told: of refusals, only a 503 that carries Retry-After is worth another try.

        Raises:
            ModelyardError: the server's, or `Unavailable` when there was no answer.
        """
        if json is not None:
            more["content"] = msgspec.json.encode(json)
            more["headers"] = {"content-type": "application/json"}
        for left in reversed(range(tries)):
            try:
                response = self._http.request(method, self.url + path, params=params, **more)
            except httpx2.RequestError as error:
                if not left or repeat_only_if_told:
                    raise self._no_answer(error, is_known=method == "GET" or repeat_only_if_told) from None
                time.sleep(0.2)
                continue
            if response.is_success:
                return response
            wait = _wait_seconds(response, repeat_only_if_told) if left else None
            if wait is None:
                raise error_from(response)
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def download(
        self, path: str, write: Callable[[bytes], Any], report: Callable[[int, int | None], None]
    ) -> str | None:
        """Give the body at `path` to `write` in chunks and return the file name that the server gives it.

        `report` is told the bytes so far and in all (None when unknown).
        """
        try:
            with self._http.stream("GET", self.url + path, headers={"accept": "*/*"}) as response:
                if not response.is_success:
                    response.read()
                    raise error_from(response)
                length = response.headers.get("content-length")
                done = 0
                for chunk in response.iter_bytes():
                    write(chunk)
                    done += len(chunk)
                    report(done, int(length) if length else None)
                return _filename(response.headers.get("content-disposition", ""))
        except httpx2.RequestError as error:
            raise self._no_answer(error) from None

    def events(self, path: str, headers: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
        """Give the name and the data of each server-sent event, until the connection ends.

        Raises:
            ModelyardError: the server's, or `Unavailable` when the connection broke.
        """
        try:
            given = {"accept": "text/event-stream", **headers}
            with self._http.stream("GET", self.url + path, headers=given) as response:
                if not response.is_success:
                    response.read()
                    raise error_from(response)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise not_ours(response, "no events", NotAcceptable)
                name = ""
                for line in response.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data" and name:
                        yield name, msgspec.json.decode(value)
        except httpx2.RequestError as error:
            raise self._no_answer(error) from error
        except msgspec.DecodeError as error:
            raise Unavailable(f"an event of {self.url} cannot be read") from error

    def _no_answer(self, error: httpx2.RequestError, *, is_known: bool = True) -> Unavailable:
        """Return the error for a request without an answer; `is_known`: nothing was changed by it."""
        if isinstance(error, httpx2.ConnectError):
            return Unavailable(
                f"nothing answers at {self.url}: is the server running (`modelyard up`), and the address right?"
            )
        late = isinstance(error, httpx2.TimeoutException)
        text = f"{self.url} did not answer in time" if late else f"the connection to {self.url} broke"
        if not is_known:
            return Unavailable(f"{text}: it may have done what was asked, so look before you ask again")
        if late:
            return Unavailable(f"{text}: try again, or give a longer `timeout_seconds`")
        return Unavailable(f"{text}: {error or type(error).__name__}")


def _wait_seconds(response: httpx2.Response, only_if_told: bool) -> float | None:
    """Return how long to wait before another try; None when there shall be none."""
    if response.status_code not in RETRIED:
        return None
    told = response.headers.get("retry-after", "")
    if told.isascii() and told.isdigit():
        wait = float(told)
        return wait if wait <= LONGEST_WAIT_SECONDS else None
    return None if only_if_told else 0.2


def _filename(disposition: str) -> str | None:
    """Return the last part of the name in a Content-Disposition (RFC 6266), never a path."""
    message = disposition.partition("filename=")[2].split(";")[0].strip().strip('"')
    name = message.replace("\\", "/").rpartition("/")[2]
    return name if name not in ("", ".", "..") else None

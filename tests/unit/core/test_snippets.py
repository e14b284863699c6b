"""Snippets are run, or read back by the language that they are written in."""

import ast
import json
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.core.snippets import python_value, snippets
from tests.servers.programs import find

HOSTILE = 'it\'s "quoted" $(touch /tmp/x) `id` \\ \n</script> é 雪'
SIGNATURE = Signature((Column("x", DataType.FLOAT64),), (Output("y", DataType.FLOAT64),))
LONG = {f"a rather long column {number}": number / 7 for number in range(30)}


def made(row: dict[str, Any], key: str = "") -> dict[str, str]:
    given = snippets(url="http://127.0.0.1:9/", reference="iris:3", signature=SIGNATURE, sample=[row], key=key)
    return {snippet.language: snippet.code for snippet in given}


@pytest.mark.parametrize("row", [{"x": 1.5}, LONG, {HOSTILE: HOSTILE}, {"a": None, "b": True, "c": [[1, 2], [3, 4]]}])
def test_curl_carries_the_row_through_the_shell(row: dict[str, Any]) -> None:
    words = shlex.split(made(row)["curl"].replace("\\\n", " "))
    assert words[:2] == ["curl", "--fail-with-body"]
    assert words[2] == "http://127.0.0.1:9/predict/iris:3"
    assert json.loads(words[words.index("-d") + 1]) == {"rows": [row]}


@pytest.mark.parametrize("row", [{"x": 1.5}, LONG, {HOSTILE: HOSTILE}, {"a": None, "b": True, "c": [[1, 2], [3, 4]]}])
def test_python_is_python_and_holds_the_row(row: dict[str, Any]) -> None:
    tree = ast.parse(made(row)["python"])
    call = next(
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "yard.predict"
    )
    assert ast.literal_eval(call.args[0]) == "iris:3"
    assert ast.literal_eval(call.args[1]) == [row]


@pytest.mark.parametrize("row", [{"x": 1.5}, LONG, {HOSTILE: HOSTILE}])
def test_javascript_holds_the_row_as_json(row: dict[str, Any]) -> None:
    code = made(row)["javascript"]
    literal = code.split("JSON.stringify({ rows: [", 1)[1].split("] }),", 1)[0]
    assert json.loads(literal.replace(",\n}", "\n}")) == row


def test_javascript_parses() -> None:
    for row in ({"x": 1}, LONG, {HOSTILE: HOSTILE}):
        command = [find("node"), "--input-type=module", "--check"]
        subprocess.run(command, input=made(row)["javascript"], text=True, check=True, capture_output=True)


def test_a_key_is_only_shown_where_it_is_given() -> None:
    assert "$MODELYARD_KEY" in made({"x": 1})["curl"]
    assert 'os.environ["MODELYARD_KEY"]' in made({"x": 1})["python"]
    for code in made({"x": 1}, key="yard_abc_def").values():
        assert "yard_abc_def" in code
        assert "MODELYARD_KEY" not in code


def test_python_values_are_written_as_python_does() -> None:
    value = {"a": [None, True, 1.5, "it's"], "b": {"c": (1, 2)}}
    assert ast.literal_eval(python_value(value)) == {"a": [None, True, 1.5, "it's"], "b": {"c": [1, 2]}}


@pytest.fixture
def listener() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """A server that writes down what reaches it."""
    seen: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_curl_really_runs(listener: tuple[str, list[tuple[str, str, bytes]]]) -> None:
    url, seen = listener
    row = {HOSTILE: HOSTILE, **LONG}
    code = snippets(url=url, reference="iris@candidate", signature=SIGNATURE, sample=[row])[0].code
    environment = {"PATH": str(Path(find("curl")).parent), "MODELYARD_KEY": "yard_secret"}
    subprocess.run(["/bin/sh", "-c", code], env=environment, check=True, capture_output=True, timeout=20)
    path, bearer, body = seen[0]
    assert (path, bearer) == ("/predict/iris@candidate", "Bearer yard_secret")
    assert json.loads(body) == {"rows": [row]}

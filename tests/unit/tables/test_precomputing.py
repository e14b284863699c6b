"""From a table of predictions to a file that finds each of them, and no other."""

import random
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from modelyard.core.errors import ArtifactCorrupt, InvalidInput
from modelyard.core.precomputed import MAX_ANSWER_BYTES, MAX_ENTITY
from modelyard.exchange.snapshot import Precomputed
from modelyard.serving.answer_file import AnswerFile
from modelyard.tables.precomputing import FILE, Columns, precompute, write_answers

ONE = Columns(("prediction",))
CLASSES = Columns(("prediction",), False, ("probability_no", "probability_yes"), ("no", "yes"))
ENTITIES = st.text(min_size=1, max_size=200).filter(lambda text: text not in (".", "..") and text.isprintable())


def told(**more: Any) -> Precomputed:
    facts = {"number": 1, "digest": "d", "size_bytes": 1, "version": 1, "version_id": 1, "entity": "id", "rows": 1}
    return Precomputed(**{**facts, **more})


def write(folder: Path, columns: Columns = ONE, **arrays: Any) -> AnswerFile:
    parquet.write_table(pa.table(arrays), folder / "scored.parquet")
    target = folder / FILE
    target.unlink(missing_ok=True)
    write_answers(folder / "scored.parquet", target, "id", columns)
    return AnswerFile(target, told())


def refusal(folder: Path, **arrays: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        write(folder, **arrays)
    return refused.value.message


def answer(file: AnswerFile, entity: str) -> Any:
    found = file.find(entity)
    return None if found is None else msgspec.json.decode(found)


@settings(max_examples=60, deadline=None)
@given(entities=st.lists(ENTITIES, min_size=1, max_size=40, unique=True), others=st.lists(ENTITIES, max_size=20))
@example(entities=["a", "A", "ä", "a ", "a/b", "%41", "'; DROP TABLE answers; --", "10", "9", "٣"], others=["a'", "b"])
def test_every_entity_is_found_and_no_other(entities: list[str], others: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), id=entities, prediction=list(range(len(entities))))
        for place, entity in enumerate(entities):
            assert answer(file, entity) == {"predictions": [place]}
        for other in {*others, *(f"{entity}x" for entity in entities)} - set(entities):
            assert file.find(other) is None
        file.close()


def test_an_answer_is_what_predict_would_say(tmp_path: Path) -> None:
    """Numbers as numpy gives them to JSON, a missing one as null, classes as names."""
    shares = np.array([0.1, 0.7], np.float32)
    file = write(
        tmp_path, CLASSES, id=["a", "b"], prediction=["yes", "no"],
        probability_no=shares, probability_yes=pa.array([0.9, None], pa.float32()),
    )  # fmt: skip
    first = {"no": shares.tolist()[0], "yes": np.float32(0.9).item()}
    assert answer(file, "a") == {"predictions": ["yes"], "probabilities": [first]}
    assert file.find("b") == b'{"predictions":["no"],"probabilities":[{"no":0.699999988079071,"yes":null}]}'
    lists = Columns(("prediction_0",), True, ("probability_0", "probability_1"))
    file = write(tmp_path, lists, id=[7], prediction_0=[1.5], probability_0=[0.25], probability_1=[0.75])
    assert answer(file, "7") == {"predictions": [[1.5]], "probabilities": [[0.25, 0.75]]}


def test_an_answer_as_long_as_may_be_is_found_and_a_longer_one_is_refused(tmp_path: Path) -> None:
    """Who looks it up would take the whole file for damaged, and other entities' answers with it."""
    entity = "ä" * MAX_ENTITY
    longest = "x" * (MAX_ANSWER_BYTES - len('{"predictions":[""]}'))
    assert answer(write(tmp_path, id=[entity, "b"], prediction=[longest, "y"]), entity) == {"predictions": [longest]}
    said = refusal(tmp_path, id=["a", "b"], prediction=["y", longest + "x"])
    assert said == "row 1 (the first row is 0): the answer has 1,048,577 bytes; expected at most 1,048,576"


def test_rows_that_failed_are_skipped(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": ["a", "b", "b"], "prediction": [1, 2, None]}), tmp_path / "scored.parquet")
    columns = msgspec.to_builtins(ONE)
    assert precompute(str(tmp_path / "scored.parquet"), str(tmp_path), "id", columns) == {"rows": 2, "skipped": 1}
    assert answer(AnswerFile(tmp_path / FILE, told()), "b") == {"predictions": [2]}


def test_the_same_answers_leave_the_same_bytes(tmp_path: Path) -> None:
    ids = [f"entity-{number}" for number in range(5000)]
    write(tmp_path, id=ids, prediction=list(range(5000))).close()
    first = (tmp_path / FILE).read_bytes()
    order = random.Random(0).sample(range(5000), 5000)
    write(tmp_path, id=[ids[place] for place in order], prediction=order).close()
    assert (tmp_path / FILE).read_bytes() == first


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["a", "b", "a", "c", "a"], "'a' is the entity of 3 rows (0, 2, 4; the first row is 0)"),
        (["a", None, "b"], "column `id`, row 1 (the first row is 0): the entity is missing"),
        (["a", ""], "row 1 (the first row is 0): '' names no entity"),
        (["a", ".."], "'..' names no entity"),
        (["a", "b" * 201], "the entity has 201 characters; expected at most 200"),
        ([1.5, 2.5], "column `id` is double: expected an entity's id, as a text or a whole number"),
        ([[1], [2]], "column `id` is list"),
    ],
)
def test_what_is_no_entity_for_each_row_is_refused(tmp_path: Path, ids: list[Any], said: str) -> None:
    assert said in refusal(tmp_path, id=ids, prediction=list(range(len(ids))))


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "no column `prediction`" in refusal(tmp_path, id=["a"])
    assert "no predictions" in refusal(tmp_path, id=["a"], prediction=pa.array([None], pa.int64()))


@pytest.mark.parametrize("damage", ["cut", "zeros", "view", "other", "text"])
def test_a_damaged_or_foreign_file_is_told(tmp_path: Path, damage: str) -> None:
    ids = [f"entity-{number}" for number in range(5000)]
    write(tmp_path, id=ids, prediction=list(range(5000))).close()
    path = tmp_path / FILE
    data = path.read_bytes()
    if damage == "view":  # what a hostile process might leave: our name, and its own statement behind it
        with sqlite3.connect(path) as connection:
            connection.execute("ALTER TABLE answers RENAME TO kept")
            connection.execute("CREATE VIEW answers AS SELECT entity, randomblob(9) AS answer FROM kept")
        connection.close()
    else:
        path.unlink()
        path.write_bytes(
            {"cut": data[:8192], "zeros": data[:4096] + bytes(len(data) - 4096), "other": b"", "text": b"x" * 9000}[
                damage
            ]
        )

    def look_at_all() -> None:
        file = AnswerFile(path, told())
        for entity in ids:
            file.find(entity)

    with pytest.raises(ArtifactCorrupt):
        look_at_all()


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    """Ten times the rows in a process of its own take less than twice the memory above what the imports take."""
    program = """
import resource, sys
from pathlib import Path
from modelyard.tables.precomputing import Columns, write_answers
columns = Columns(("prediction",))
source, target = map(Path, sys.argv[1:])
write_answers(source, target, "id", columns)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""
    used = []
    for rows in (20_000, 200_000):
        source = tmp_path / f"{rows}.parquet"
        ids = np.random.default_rng(0).permutation(rows)
        table = pa.table({"id": [f"entity-{number:060}" for number in ids], "prediction": ids})
        parquet.write_table(table, source, row_group_size=20_000)
        said = subprocess.run(
            [sys.executable, "-c", program, source, tmp_path / f"{rows}.sqlite"], capture_output=True, text=True
        )
        assert said.returncode == 0, said.stderr
        used.append(int(said.stdout))
    assert used[1] - used[0] < 100, used


def test_memory_does_not_grow_with_the_classes(tmp_path: Path) -> None:
    """Some thousand rows of some hundred classes are not all Python's own numbers at once."""
    names = tuple(f"probability_{place}" for place in range(200))
    shares = np.random.default_rng(0).random(2500)
    arrays = {"id": np.arange(2500), "prediction": np.zeros(2500, int), **dict.fromkeys(names, shares)}
    parquet.write_table(pa.table(arrays), tmp_path / "scored.parquet")
    tracemalloc.start()
    write_answers(tmp_path / "scored.parquet", tmp_path / FILE, "id", Columns(("prediction",), False, names))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20, peak

"""How a row group is cut into what a model is asked at once."""

import numpy as np
import pyarrow as pa

from modelyard.core.tensors import Batch
from modelyard.runtimes.frames import PREFIX, batch_arrays, encode
from modelyard.scoring import child, scorer


def test_long_texts_for_another_child_fit_its_header() -> None:
    """Documents of some pages each, of a letter that JSON writes in six times the bytes: the most that it does."""
    texts = [f"{row} " + "\x01" * 12_000 for row in range(2000)]
    table = pa.table({"text": texts, "number": np.arange(len(texts))})
    chunks = list(child._chunks(table, child.ISOLATED_ROWS, child.MOST_TEXT_BYTES))
    assert pa.Table.from_batches(chunks) == table
    longest = max(chunks, key=lambda chunk: chunk.nbytes)
    words = np.array(longest.column("text").to_pylist(), dtype=object)
    pieces = encode(*batch_arrays(Batch(len(words), columns={"text": words})))
    header_size, _ = PREFIX.unpack(pieces[0])
    assert header_size <= scorer._MOST[0]
    assert len(list(child._chunks(table, child.ISOLATED_ROWS, None))) == 1


def test_a_row_that_is_too_long_by_itself_is_asked_alone() -> None:
    table = pa.table({"text": ["a", "b" * 100, "c"]})
    assert [chunk.num_rows for chunk in child._chunks(table, 10, 50)] == [1, 1, 1]

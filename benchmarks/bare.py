"""What scoring is compared with: pyarrow and onnxruntime in a loop, one thread, nothing around them.

It writes with what pyarrow does by itself; asked for `ours`, with what scoring writes with, which is quicker: no
dictionaries of numbers that repeat nothing.
"""

import sys
import time

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from modelyard.runtimes.onnx import onnxruntime

ROWS = 65_536
OURS = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}


def main(dataset: str, graph: str, out: str, encoding: str = "default", part: int = 0, parts: int = 1) -> None:
    """Score a table, or one of its even parts, with a graph into a Parquet file; print the seconds that it took, and
    those of the processor, imports left out of both."""
    pa.array(np.empty(0))  # imports pandas, where there is one
    began, used = time.perf_counter(), time.process_time()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs, names = session.get_inputs(), [one.name for one in session.get_outputs()]
    file = parquet.ParquetFile(dataset)
    writer = None
    matrix = len(inputs) == 1
    columns = None if matrix else [one.name for one in inputs]
    cuts = [file.num_row_groups * one // parts for one in (part, part + 1)]
    for batch in file.iter_batches(ROWS, row_groups=list(range(*cuts)), columns=columns, use_threads=False):
        arrays = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        if matrix:
            feed = {inputs[0].name: np.column_stack(arrays).astype(_type(inputs[0]), copy=False)}
        else:
            feed = {
                one.name: array.astype(_type(one), copy=False).reshape(-1, 1)
                for one, array in zip(inputs, arrays, strict=True)
            }
        found = dict(zip(names, session.run(names, feed), strict=True))
        table = pa.table(
            {
                f"{name}_{place}": values if values.ndim == 1 else np.ascontiguousarray(values[:, place])
                for name, values in found.items()
                for place in range(1 if values.ndim == 1 else values.shape[1])
            }
        )
        if writer is None:
            writer = parquet.ParquetWriter(out, table.schema, **(OURS if encoding == "ours" else {}))
        writer.write_table(table)
    if writer is not None:
        writer.close()
    print(time.perf_counter() - began, time.process_time() - used)


def _type(taken: "onnxruntime.NodeArg") -> type:
    return {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}[taken.type]


if __name__ == "__main__":
    main(*sys.argv[1:5], *map(int, sys.argv[5:]))

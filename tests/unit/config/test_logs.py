"""Lines of the log: what the data plane says by the standard library has all its fields."""

import io
import json
import logging
import logging.config
from copy import deepcopy

from modelyard.config.logs import LOGGING


def test_the_fields_of_a_plain_record_are_in_its_line() -> None:
    stream = io.StringIO()
    described = deepcopy(LOGGING)
    formatter = logging.config.DictConfigurator(described).configure_formatter(described["formatters"]["json"])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    record = logging.getLogger("modelyard.serving").makeRecord(
        "modelyard.serving",
        logging.ERROR,
        "file",
        1,
        "internal",
        (),
        None,
        extra={"action": "internal", "request_id": "r-1"},
    )
    handler.emit(record)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["action"], line["request_id"]) == ("internal", "internal", "r-1")

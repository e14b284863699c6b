"""Recording: one record that cannot be written is counted, and takes no other along."""

from pathlib import Path

from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.records import Answered, Event, decode
from modelyard.exchange.segments import read_segment
from modelyard.exchange.spool import Spool
from modelyard.serving.recorder import Recorder


def answered(entity: int) -> Answered:
    return Answered(
        id="i",
        at=1.0,
        tenant=1,
        model="iris",
        version=1,
        version_id=1,
        rows=1,
        probability=None,
        seconds=0.1,
        inputs=b"",
        outputs={},
        protocol="rows",
        request_id="r",
        entities=[entity],
    )


def test_a_record_that_cannot_be_written_is_counted_and_the_others_are_written(tmp_path: Path) -> None:
    medium = FolderMedium(tmp_path / "medium")
    spool = Spool(tmp_path / "spool", medium, 1 << 30)
    spool.start()
    recorder = Recorder(spool)
    assert not recorder.record([answered(1), answered(2**70), answered(3)])
    recorder.tell_drops()
    spool.stop()
    records = [decode(payload) for key in medium.keys("spool/") for payload in read_segment(medium, key)]
    assert [record.entities for record in records if isinstance(record, Answered)] == [[1], [3]]
    assert [(record.action, record.count) for record in records if isinstance(record, Event)] == [("dropped", 1)]

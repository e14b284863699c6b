"""The way back: from the engine's answers to records and responses, in this order."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.signature import Signature
from modelyard.core.tensors import Batch, take
from modelyard.exchange.prediction_ids import Maker
from modelyard.exchange.records import Answered, Failed, Record
from modelyard.serving.call import Call, Outcome, Part
from modelyard.serving.message import JSON, Response
from modelyard.serving.protocols.encoder import outputs_of
from modelyard.serving.recorder import Recorder
from modelyard.serving.refusal import refusal
from modelyard.serving.work import Work

log = logging.getLogger(__name__)


class Internal(ModelyardError):
    """A mistake of ours; the log has the traceback under the request's id."""


class Delivery:
    """Encodes, records in one write, and only then lets answers leave. Safe in threads; never raises.

    Attributes:
        ids: the process's maker of prediction ids.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.ids = Maker()

    def deliver(self, works: Sequence[Work]) -> None:
        """Take works back from the engine."""
        ready: list[tuple[Call, Response]] = []
        records: list[Record] = []
        for work in works:
            part: Part = work.context
            part.answer, part.error = work.answer, work.error
            call = part.call
            if call.lock is not None and not _is_last(call):
                continue
            try:
                response, answered = self._respond(call, work)
            except Exception as error:
                response, answered = failure(call, internal(call, error))
            ready.append((call, response))
            records.extend(answered)
        if records:
            self._recorder.record(records)
        for call, response in ready:
            send(call, response)

    def refuse(self, call: Call, error: ModelyardError) -> None:
        """Answer with an error, recorded when it was one of a model that the tenant has."""
        response, records = failure(call, error)
        if records:
            self._recorder.record(records)
        send(call, response)

    def _respond(self, call: Call, work: Work) -> tuple[Response, Sequence[Record]]:
        """Return the response of a request whose parts are all back, and its records."""
        for part in call.parts:
            if part.error is not None:
                return failure(call, part.error, part)
        if len(call.parts) == 1:
            outcome, answered = self._whole(call, call.parts[0], work.batch)
            records = [answered]
        else:
            outcome, records = self._merged(call)
        body = call.protocol.encode(call, outcome)
        return Response(200, (JSON, (b"x-request-id", call.request_id.encode())), body), records

    def _whole(self, call: Call, part: Part, batch: Batch) -> tuple[Outcome, Answered]:
        if part.answer is None or call.tenant is None or call.decoded is None:
            raise AssertionError("a work that comes back without an error has an answer")
        outputs = outputs_of(part.answer)
        tenant = call.tenant
        identity = self.ids.make(call.at, tenant.number, part.view.version.id, tenant.mac_key)
        ids = [f"{identity}.{row}" for row in range(batch.n_rows)]
        entities = call.decoded.entities
        if part.rows is not None:
            entities = [entities[row] for row in part.rows]
        record = Answered(
            id=identity,
            at=call.at,
            tenant=tenant.number,
            model=part.view.model,
            version=part.view.number,
            version_id=part.view.version.id,
            rows=batch.n_rows,
            probability=part.probability,
            seconds=time.monotonic() - call.started,
            inputs=_inputs(batch),
            outputs=outputs,
            protocol=call.protocol.name,
            request_id=call.request_id,
            entities=list(entities),
        )
        return Outcome(part.view, outputs, ids, answer=part.answer), record

    def _merged(self, call: Call) -> tuple[Outcome, list[Answered]]:
        """Put the rows that several versions answered back into the request's order."""
        if call.view is None or call.decoded is None:
            raise AssertionError("a request is read before it is answered")
        n_rows = call.decoded.batch.n_rows
        outputs: dict[str, list[Any]] = {output.name: [None] * n_rows for output in call.view.signature.outputs}
        ids = [""] * n_rows
        versions = [0] * n_rows
        records: list[Answered] = []
        for part in call.parts:
            rows = part.rows or ()
            outcome, record = self._whole(call, part, take(call.decoded.batch, rows))
            records.append(record)
            names = _counterparts(call.view.signature, part.view.signature)
            for place, row in enumerate(rows):
                ids[row], versions[row] = outcome.prediction_ids[place], part.view.number
                for name, values in outputs.items():
                    found = outcome.outputs.get(names.get(name, ""))
                    values[row] = found[place] if found is not None else None
        return Outcome(call.view, outputs, ids, versions), records


def _counterparts(asked: Signature, other: Signature) -> dict[str, str]:
    """Return for outputs of the signature that a request was read by how another version calls them.

    A prediction stands for a prediction whatever its name; so do probabilities, of the same classes in the same order.
    """
    names = {output.name: output.name for output in asked.outputs}
    names[asked.prediction.name] = other.prediction.name
    mine, its = asked.probabilities, other.probabilities
    if mine is not None and its is not None:
        if (mine.classes, mine.shape) == (its.classes, its.shape):
            names[mine.name] = its.name
        else:
            del names[mine.name]
    return names


def failure(call: Call, error: ModelyardError, part: Part | None = None) -> tuple[Response, Sequence[Record]]:
    """Return the refusal, and its record when it was one of a model that the tenant has."""
    response = refusal(error, call.protocol.refuse(error, call.request_id), call.request_id)
    if call.tenant is None or call.model is None:
        return response, []
    view = part.view if part is not None else call.view
    record = Failed(
        at=call.at,
        tenant=call.tenant.number,
        model=call.model,
        code=error.code,
        message=error.message.encode("utf-8", "replace").decode(),
        seconds=time.monotonic() - call.started,
        protocol=call.protocol.name,
        request_id=call.request_id,
        version=view.number if view is not None else None,
        version_id=view.version.id if view is not None else None,
        probability=part.probability if part is not None else None,
    )
    return response, [record]


def internal(call: Call, error: Exception) -> Internal:
    """Log a mistake of ours and return what the client is told."""
    log.error("internal", extra={"action": "internal", "request_id": call.request_id}, exc_info=error)
    return Internal("something went wrong here; the operator finds it in the log under this request's id")


def send(call: Call, response: Response) -> None:
    """Hand a response to its door. A door whose client or loop has gone is no reason to stop."""
    try:
        call.done(response)
    except Exception:
        log.exception("door_failed", extra={"action": "door_failed", "request_id": call.request_id})


def _is_last(call: Call) -> bool:
    """Count one part as back."""
    if call.lock is None:
        return True
    with call.lock:
        call.left -= 1
        return call.left == 0


def _inputs(batch: Batch) -> bytes | dict[str, list[Any]]:
    if batch.matrix is not None:
        return batch.matrix.tobytes()
    return {name: array.tolist() for name, array in (batch.columns or {}).items()}

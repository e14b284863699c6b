"""The training form as a whole: what was typed, the fields that follow from it, and what it asks of the service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.control.console.training.columns import Columns, chosen, columns_of, label
from modelyard.control.console.training.fields import FormField, NotRead, Option, made, read, written
from modelyard.control.registry.models import Dataset
from modelyard.core.errors import ModelyardError
from modelyard.trainers.function import FunctionTrainer
from modelyard.trainers.parameters import schema_of
from modelyard.trainers.schema import FLAG, TEXT, TIMES
from modelyard.trainers.stated import Stated, stated
from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.estimators import Kind, Parameter, Task
from modelyard.trainers.trainer import Trainer

COLUMNS, COLUMNS_TEXT, COLUMNS_OF, ESTIMATOR_OF = "columns", "columns-text", "columns-of", "estimator-of"
OWN, TRIED = "e-", "s-"
"""Before the names of an estimator's own parameters, and of the values that a search tries."""
MAIN = ("column", "estimator", "function")
SPREAD = ("columns", "columns-left-out", "estimator-parameters", "search")
"""Formats of parameters that are no single field."""


@dataclass(slots=True)
class TrainingForm:
    """The form.

    Attributes:
        texts: as they were posted or told by an address, by field.
        main: what is chosen first, `own` the estimator's parameters, `more` the rest.
        search: of a search, its method and bounds; the first is the method.
        above: errors that belong to no field.
    """

    trainer: Trainer[Any]
    dataset: Dataset | None
    texts: dict[str, str]
    main: list[FormField] = field(default_factory=list)
    own: list[FormField] = field(default_factory=list)
    search: list[FormField] = field(default_factory=list)
    more: list[FormField] = field(default_factory=list)
    columns: Columns | None = None
    estimator: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    above: list[str] = field(default_factory=list)
    lacks_functions: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        of_columns = self.columns.error if self.columns else ""
        return bool(self.errors or self.above or of_columns or any(one.error for one in self.fields))

    @property
    def fields(self) -> list[FormField]:
        return [*self.main, *self.own, *self.search, *self.more, *(one.tried for one in self.own if one.tried)]

    @property
    def more_is_open(self) -> bool:
        return any(one.error for one in self.more)

    def refuse(self, error: ModelyardError) -> None:
        """Put what the service refused beside the field that it is about, else above all."""
        places = error.details.get("places") or [{"place": "", "message": error.message}]
        for told in places:
            self._mark(told["place"], told["message"])

    def _mark(self, place: str, message: str) -> None:
        said = message[:1].upper() + message[1:]
        fitting = [
            one for one in self.fields if place == one.place or place.startswith((f"{one.place}.", f"{one.place}["))
        ]
        if fitting:
            max(fitting, key=lambda one: len(one.place)).error = said
        elif self.columns and place.startswith(("parameters.features", "parameters.exclude", "parameters.columns")):
            self.columns.error = said
        elif place in ("dataset", "model", "description", "trainer"):
            self.errors[place] = said
        else:
            self.above.append(f"{place.removeprefix('parameters.')}: {message}" if place else said)


def make(
    trainer: Trainer[Any], dataset: Dataset | None, texts: dict[str, str], ticked: set[str] | None
) -> TrainingForm:
    """Return the form that fits what was chosen so far, with what was typed in it, and read as far as it can be."""
    form = TrainingForm(trainer, dataset, texts)
    parameters = stated(schema_of(trainer.Parameters))
    formats = {one.format: one for one in parameters if one.format}
    if dataset is None or texts.get(COLUMNS_OF) not in ("", None, str(dataset)):
        ticked = None
        form.texts = texts = {**texts, COLUMNS_TEXT: ""}
    for one in parameters:
        if one.format not in SPREAD:
            _add(form, one)
    if "columns" in formats and dataset is not None:
        _add_columns(form, ticked, drops_times="columns-left-out" in formats)
        _read_columns(form, formats)
    if "estimator-parameters" in formats:
        _add_own(form, formats)
    return form


def _add(form: TrainingForm, one: Stated) -> None:
    name, place = f"p-{one.name}", f"parameters.{one.name}"
    made_field = made(one, name, place, form.texts)
    if one.format == "column" and form.dataset is not None:
        _offer_columns(made_field, one, form)
    elif one.format == "function":
        _offer(made_field, form, getattr(form.trainer, "allowed", ()))
        form.lacks_functions = isinstance(form.trainer, FunctionTrainer) and not form.trainer.allowed
    elif one.format == "estimator":
        _offer_estimators(made_field, form)
    made_field.swaps = made_field.swaps or one.name == "task"
    place_of = form.main if one.format in MAIN or one.required or one.name == "task" else form.more
    place_of.append(made_field)
    _take(form, one, made_field, form.parameters)


def _take(form: TrainingForm, one: Stated, made_field: FormField, into: dict[str, Any]) -> None:
    """Read the field's text into the parameters, unless it is empty or what is so anyway."""
    text = made_field.value
    if not text.strip() or (made_field.kind == "choice" and text == written(one.default)):
        return
    if one.format == "column":  # as the file names it, its blanks too
        into[one.name] = text
        return
    try:
        into[one.name] = read(one, text)
    except NotRead as error:
        said = str(error)
        made_field.error = said[:1].upper() + said[1:]


def _offer(made_field: FormField, form: TrainingForm, names: Iterable[str]) -> None:
    made_field.kind = "choice"
    made_field.groups = [("", [Option("", "choose"), *(Option(name, name) for name in names)])]
    text = form.texts.get(made_field.name, "")
    made_field.value = text if text in made_field.keys else ""


def _offer_columns(made_field: FormField, one: Stated, form: TrainingForm) -> None:
    """Offer the columns with what they hold; one that the dataset has not is kept, so that it is refused by name."""
    made_field.kind, made_field.swaps = "choice", True
    text = form.texts.get(made_field.name, "")
    summary = form.dataset.summary if form.dataset else []
    options = [Option(told["name"], label(told)) for told in summary if told["type"] not in TIMES]
    known = {"", *(each.key for each in options)}
    lost = [Option(text, f"{text} (not in this dataset)")] if text not in known else []
    made_field.groups = [("", [Option("", "choose" if one.required else "not set"), *lost, *options])]
    made_field.value = text


def _told_task(form: TrainingForm) -> Task | None:
    """Return the task where it was chosen, or the target's kind alone tells it."""
    text = form.texts.get("p-task", "")
    if text in list(Task):
        return Task(text)
    target = form.texts.get("p-target", "")
    summary = form.dataset.summary if form.dataset else []
    kind = next((told["type"] for told in summary if told["name"] == target), None)
    return Task.CLASSIFICATION if kind in (TEXT, FLAG) else None


def _offer_estimators(made_field: FormField, form: TrainingForm) -> None:
    made_field.kind, made_field.swaps = "choice", True
    text = form.texts.get(made_field.name, "")
    told = _told_task(form)
    tasks = [told] if told else list(Task)
    made_field.groups = [("", [Option("", "random forest, with its usual parameters")])]
    for task in tasks:
        fitting = [one.name for one in listed.TABLE.values() if one.task is task]
        names = [text, *fitting] if told and text in listed.TABLE and text not in fitting else fitting
        made_field.groups.append((task.value.capitalize(), [Option(name, name) for name in names]))
    if text and text not in made_field.keys:  # not installed, say: it is kept, so that it is refused by name
        made_field.groups.append(("", [Option(text, text)]))
    made_field.value, form.estimator = text, text if text in listed.TABLE else ""


def _add_columns(form: TrainingForm, ticked: set[str] | None, *, drops_times: bool) -> None:
    summary = form.dataset.summary if form.dataset else []
    target, text = form.texts.get("p-target", ""), form.texts.get(COLUMNS_TEXT, "")
    form.columns = columns_of(summary, target, ticked, text, drops_times=drops_times)


def _read_columns(form: TrainingForm, formats: Mapping[str, Stated]) -> None:
    if form.columns is None:
        return
    left_out = formats.get("columns-left-out")
    said = chosen(form.columns, leaves_out=left_out is not None)
    if "taken" in said:
        form.parameters[formats["columns"].name] = said["taken"]
    if "left_out" in said and left_out is not None:
        form.parameters[left_out.name] = said["left_out"]


def _add_own(form: TrainingForm, formats: Mapping[str, Stated]) -> None:
    """Add the estimator's own parameters, and the search over them."""
    if form.texts.get(ESTIMATOR_OF, form.estimator) != form.estimator:
        form.texts = {name: text for name, text in form.texts.items() if not name.startswith((OWN, TRIED))}
    searching = _add_search(form, formats["search"]) if "search" in formats else None
    if not form.estimator:
        return
    estimator = listed.TABLE[form.estimator]
    given: dict[str, Any] = {}
    for parameter, one in zip(estimator.parameters, stated(estimator.schema()), strict=True):
        shown = made(one, f"{OWN}{one.name}", f"parameters.parameters.{one.name}", form.texts)
        form.own.append(shown)
        if searching is not None:
            shown.tried = _tried(form, parameter, one, searching["space"])
        if searching is None or one.name not in searching["space"]:
            _take(form, one, shown, given)
    if given:
        form.parameters[formats["estimator-parameters"].name] = given


def _add_search(form: TrainingForm, one: Stated) -> dict[str, Any] | None:
    """Add what a search is told besides its values, and return it; None where none is asked for."""
    inner = {each.name: each for each in stated(one.shapes[0])}
    place = f"parameters.{one.name}"
    method = FormField("search-method", place, "Search", "choice", hint=one.description.capitalize() + ".", swaps=True)
    words = {"grid": "grid: every combination", "random": "random: draws from lists and ranges"}
    options = [Option(word, words.get(word, word)) for word in inner["method"].words]
    method.groups = [("", [Option("", "none"), *options])]
    method.value = form.texts.get(method.name, "") if form.texts.get(method.name, "") in method.keys else ""
    form.search.append(method)
    if not method.value:
        return None
    asked: dict[str, Any] = {"method": method.value, "space": {}}
    for name in ("count", "folds", "metric"):
        shown = made(inner[name], f"search-{name}", f"{place}.{name}", form.texts)
        form.search.append(shown)
        _take(form, inner[name], shown, asked)
    form.parameters[one.name] = asked
    return asked


def _tried(form: TrainingForm, parameter: Parameter, one: Stated, space: dict[str, Any]) -> FormField:
    """Return the field of the values to try, and read it into the search's space."""
    name = f"{TRIED}{one.name}"
    shown = FormField(
        name, f"parameters.search.space.{one.name}", f"Values of {one.name} to try", "text", form.texts.get(name, "")
    )
    numeric = parameter.kind in (Kind.INTEGER, Kind.NUMBER)
    drawn = form.texts.get("search-method") == "random"
    shown.placeholder = example(parameter, drawn) if numeric else ", ".join(one.words[:2])
    if not shown.value.strip():
        return shown
    try:
        space[one.name] = tried(one, shown.value)
    except NotRead as error:
        shown.error = str(error)[:1].upper() + str(error)[1:]
    return shown


def example(parameter: Parameter, drawn: bool) -> str:
    """Return numbers around the default of `parameter` that it may be, as they are typed; `drawn`: a range of them."""
    whole = parameter.kind is Kind.INTEGER
    usual = parameter.default if isinstance(parameter.default, int | float) and parameter.default else None
    middle = usual or (10 if whole else 0.1)
    around = [middle // 2, middle, middle * 2] if whole else [middle / 10, middle, middle * 10]
    low, high = parameter.low, parameter.high
    fitting = [each for each in around if (low is None or each >= low) and (high is None or each <= high)]
    if drawn and len(fitting) > 1:
        return f"{fitting[0]:.10g} to {fitting[-1]:.10g}" + " log" * (not whole)
    return ", ".join(f"{each:.10g}" for each in fitting)


def tried(one: Stated, text: str) -> list[Any] | dict[str, Any]:
    """Return the values that a search tries: `0.1, 1, 10`, or a range as `0.01 to 10` or `0.01 to 10 log`.

    Raises:
        NotRead: when they are none.
    """
    low, to, high = text.strip().partition(" to ")
    if to:
        high, log = (high.strip().removesuffix("log").strip(), high.strip().endswith("log"))
        span = {"low": read(_ANY_NUMBER, low), "high": read(_ANY_NUMBER, high)}
        return {**span, "log": True} if log else span
    if one.types == ["array"]:
        return [read(one, part) for part in text.split(";") if part.strip()]
    return [read(one, part) for part in text.split(",") if part.strip()]


_ANY_NUMBER = Stated("", ({"type": "number"},), nullable=False, required=True, default=None, description="", format="")

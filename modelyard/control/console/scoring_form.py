"""The scoring form: versions, datasets and columns to choose from, what was chosen, and the same as commands."""

import json
import shlex
from dataclasses import dataclass, field
from typing import Any

from modelyard.control.console.training.columns import MOST_BOXES, ColumnLine, summary_of
from modelyard.control.console.training.fields import Option
from modelyard.control.registry.models import Alias, Dataset, Version
from modelyard.control.rest.public import public_url
from modelyard.control.scoring.services import answered_by_one
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Conflict, InvalidInput, ModelyardError, NotFound
from modelyard.core.snippets import KEY_VARIABLE, Snippet
from modelyard.scoring.naming import FORMATS

OFFERED = 200
"""Versions and datasets that are offered, the newest."""


@dataclass(slots=True)
class ScoringForm:
    """The form; `versions` are options beneath the names of their models, `above` errors that belong to no field."""

    model: str
    dataset: Dataset | None
    format: str
    entity: str
    ticked: set[str]
    precompute: bool = False
    versions: list[tuple[str, list[Option]]] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    above: list[str] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        return bool(self.errors or self.above)

    @property
    def formats(self) -> tuple[str, ...]:
        return FORMATS

    @property
    def columns(self) -> list[ColumnLine]:
        """Return the columns that may stand beside the predictions, as many as a form takes."""
        summary = self.dataset.summary[:MOST_BOXES] if self.dataset else []
        return [
            ColumnLine(told["name"], told["type"], summary_of(told), told["name"] in self.ticked) for told in summary
        ]

    @property
    def more_columns(self) -> int:
        """Return how many columns a form has no room for."""
        return max(0, len(self.dataset.summary) - MOST_BOXES) if self.dataset else 0

    @property
    def entities(self) -> list[str]:
        """Return the columns that can tell rows apart: texts and whole numbers."""
        summary = self.dataset.summary if self.dataset else []
        return [told["name"] for told in summary if told["type"] == "string" or "int" in told["type"]]

    @property
    def kept(self) -> list[str]:
        return [line.name for line in self.columns if line.ticked]

    @property
    def asked(self) -> dict[str, Any]:
        """Return what is asked of the service."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "format": self.format,
            "columns": [*self.kept, *sorted(self.ticked.difference(self.kept))],
            "entity": self.entity,
            "precompute": self.precompute,
        }

    def fit(self) -> None:
        """Leave out what was chosen of another dataset, while it is still chosen; once sent, it is refused by name."""
        self.format = self.format if self.format in FORMATS else FORMATS[0]
        self.entity = self.entity if self.dataset is None or self.entity in self.entities else ""
        self.ticked.intersection_update(line.name for line in self.columns)

    def refuse(self, error: ModelyardError) -> None:
        """Put what the service refused beside the field that it is about, else above all."""
        message = self._begun(error.message)
        places = error.details.get("places")
        if places:
            for told in places:
                self.errors[told["place"]] = self._begun(told["message"])
        elif isinstance(error, InvalidInput) and error.details.get("field") == "dataset":
            self.errors["dataset"] = message.removeprefix("`dataset`: ")
        elif isinstance(error, (NotFound, Conflict, InvalidInput)):
            self.errors["model"] = message
        else:
            self.above.append(message)

    def _begun(self, message: str) -> str:
        """Begin a sentence, but with no name of what was chosen: names are written as they are."""
        first = message.partition(" ")[0].partition(":")[0]
        names = {self.model.partition(":")[0].partition("@")[0], self.dataset.name if self.dataset else ""}
        return message if first in names else message[:1].upper() + message[1:]


def offered_versions(tenant: Tenant, chosen: str) -> list[tuple[str, list[Option]]]:
    """Return what may score, by model: the model itself, its aliases, its newest versions that are ready."""
    newest = Version.objects.of(tenant).ready().select_related("model").order_by("-created_at")
    groups: dict[str, list[Option]] = {}
    for version in newest.only("number", "model__name")[:OFFERED]:
        groups.setdefault(version.model.name, []).append(Option(str(version), str(version)))
    aliases = Alias.objects.of(tenant).filter(model__name__in=groups).select_related("model", "version")
    for alias in aliases:
        label = f"{alias.model.name}@{alias.name}: now {alias.version.number}"
        groups[alias.model.name].insert(0, Option(f"{alias.model.name}@{alias.name}", label))
    for name in answered_by_one(tenant, groups):
        groups[name].insert(0, Option(name, f"{name}: the one that answers"))
    known = {option.key for options in groups.values() for option in options}
    return [*([] if not chosen or chosen in known else [("", [Option(chosen, chosen)])]), *sorted(groups.items())]


def scoring_lines(form: ScoringForm) -> tuple[Snippet, ...]:
    """Return how a terminal, curl and Python ask for it; what is not chosen yet is called `your-...`."""
    model, dataset = form.model or "your-model", str(form.dataset or "your-dataset")
    given: dict[str, Any] = {"format": form.format}
    given |= {"columns": form.kept} if form.kept else {}
    given |= {"entity": form.entity} if form.entity else {}
    given |= {"precompute": True} if form.precompute else {}
    words = ["modelyard", "score", model, "--dataset", dataset, "--format", form.format]
    words += [word for name in form.kept for word in ("--column", name)]
    words += ["--entity", form.entity] if form.entity else []
    words += ["--precompute"] if form.precompute else []
    body = json.dumps({"model": model, **given}, ensure_ascii=False)
    request = (
        f"curl --fail-with-body {shlex.quote(f'{public_url()}/api/v1/datasets/{dataset}/score')} \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )
    named = "".join(f", {name}={value!r}" for name, value in given.items())
    call = (
        "import os\n\nfrom modelyard import Client\n\n"
        f'yard = Client("{public_url()}", key=os.environ["{KEY_VARIABLE}"])\n'
        f"job = yard.score({model!r}, {dataset!r}{named})\n"
        "*_, end = yard.watch(job)\n"
        f'yard.download_result(job, to="scored.{form.format}")'
    )
    return (
        Snippet("command", "Command", shlex.join(words)),
        Snippet("curl", "curl", request),
        Snippet("python", "Python", call),
    )

"""Who depends on a model, and what must be said of them before it is taken away."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from django.db import transaction

from modelyard.control.registry.comparison import breaking
from modelyard.control.registry.facts import check_text
from modelyard.control.registry.locks import lock_model
from modelyard.control.registry.models import Consumer, Model, Version
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import HasConsumers, InvalidInput, NotFound, QuotaExceeded
from modelyard.core.reference import parse_reference

MAX_NAME = 100
MAX_CONTACT = 200
MAX_PURPOSE = 2000
MOST = 500
SHOWN = 10


def declare_consumer(
    *, actor: Actor, model: Model, name: str, contact: str = "", purpose: str = "", uses: str = ""
) -> Consumer:
    """Note that somebody depends on the model, or note it anew.

    Args:
        uses: what they ask for: the model (or empty), `iris:3` or `iris@candidate`.

    Raises:
        InvalidInput: when a text is too long, the name empty, or `uses` names another model, or a version or an alias
            that this one has not.
        QuotaExceeded: past `MOST` of one model.
    """
    require(actor, Scope.WRITE)
    for text, place, maximum in (
        (name, "name", MAX_NAME), (contact, "contact", MAX_CONTACT), (purpose, "purpose", MAX_PURPOSE)
    ):  # fmt: skip
        check_text(text, place, maximum)
    name = name.strip()
    if not name or not name.isprintable() or "/" in name or name in (".", ".."):  # nothing else has an address
        raise InvalidInput.at("name", "expected who depends on it, as in 'checkout service', without slashes")
    with transaction.atomic():
        locked = lock_model(actor, model)
        values = {
            "contact": contact.strip(), "purpose": purpose, "uses": _used(locked, uses), "declared_by": actor.name,
        }  # fmt: skip
        consumer, made = Consumer.objects.update_or_create(
            model=locked, name=name, defaults=values, create_defaults={**values, "tenant": actor.tenant}
        )
        consumer.model, consumer.is_new = locked, made
        if made and locked.consumers.count() > MOST:
            raise QuotaExceeded(f"{locked.name} has {MOST} consumers: remove some, or declare them together")
        details = {"name": name, **{field: values[field] for field in ("contact", "purpose", "uses")}}
        record(actor=actor, verb="consumer.declare", subject=f"model:{locked.name}", details=details)
    return consumer


def remove_consumer(*, actor: Actor, model: Model, name: str) -> None:
    """Note that somebody does not depend on the model any more.

    Raises:
        NotFound: when nobody by that name is declared.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        locked = lock_model(actor, model)
        consumer = locked.consumers.filter(name=name).first()
        if consumer is None:
            raise NotFound(f"{locked.name} has no consumer {name[:MAX_NAME]!r}")
        consumer.delete()
        details = {"name": name, "contact": consumer.contact, "purpose": consumer.purpose, "uses": consumer.uses}
        record(actor=actor, verb="consumer.remove", subject=f"model:{locked.name}", details=details)


def hurt(model: Model, uses: str | None = None) -> list[Consumer]:
    """Return the consumers whom it would hurt if the model went, or what `uses` names: `` the plan, `:3`, `@a`."""
    consumers = Consumer.objects.filter(model=model)
    return list(consumers if uses is None else consumers.filter(uses=uses))


def check_consumers(model: Model, despite: bool, uses: str | None = None, because: str = "") -> None:
    """Let pass when nobody would be hurt, or the caller knows and goes on. `because` says what would hurt them, where
    the call itself does not.

    Raises:
        HasConsumers: naming those who would be, with their contacts.
    """
    hurt_by_it = [] if despite else hurt(model, uses)
    if hurt_by_it:
        why = f"{because}: " if because else ""
        raise HasConsumers(
            f"{why}{model.name}{uses or ''} has declared consumers: {named(hurt_by_it)}; tell them, then say "
            "`despite_consumers`, or remove them from its consumers",
            users=[str(consumer) for consumer in hurt_by_it],
        )


def check_callers(model: Model, before: int | None, after: Version, despite: bool, uses: str) -> None:
    """Let pass when version `after` takes whatever version `before` took and answers what it answered, or nobody is
    declared to ask by `uses`, or the caller knows and goes on.

    Raises:
        HasConsumers: naming the columns by which they would be refused, the outputs that they would not find as they
            were, and them, with their contacts.
    """
    if despite or before is None or before == after.number:
        return
    hurt_by_it = hurt(model, uses)
    if not hurt_by_it:
        return
    columns, outputs = breaking(model.versions.get(number=before), after)
    why = []
    if columns:
        refused = f"as version {before} takes it is refused by version {after.number} (columns {_quoted(columns)})"
        why.append(f"who asks {model.name}{uses} {refused}")
    if outputs:
        other = f"what version {before} answers finds other outputs in version {after.number} ({_quoted(outputs)})"
        why.append(f"who reads of {model.name}{uses} {other}")
    if why:
        refuse(", and ".join(why), hurt_by_it, columns=columns[:MOST], outputs=outputs[:MOST])


def refuse(why: str, hurt_by_it: Sequence[Consumer], **details: Any) -> NoReturn:
    """Raise `HasConsumers`, naming them with their contacts."""
    raise HasConsumers(
        f"{why}, and declared are: {named(hurt_by_it)}; tell them, then say `despite_consumers`",
        users=[str(consumer) for consumer in hurt_by_it[:MOST]],
        **details,
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:SHOWN])


def named(consumers: Sequence[Consumer]) -> str:
    """Return the first of them in words, with their contacts, and how many more there are."""
    shown = ", ".join(str(consumer) for consumer in consumers[:SHOWN])
    return f"{shown} and {len(consumers) - SHOWN} more" if len(consumers) > SHOWN else shown


def _used(model: Model, uses: str) -> str:
    """Return what stands after the model's name in a reference to it."""
    if not uses:
        return ""
    reference = parse_reference(uses if uses[0] not in ":@" else f"{model.name}{uses}")
    if reference.model != model.name:
        raise InvalidInput.at("uses", f"{uses!r} is of another model, expected {model.name}, or one of its versions")
    if reference.alias == "champion":
        return ""
    if reference.version is not None and not model.versions.filter(number=reference.version).exists():
        newest = f"the newest is {model.last_number}" if model.last_number else "it has none yet"
        raise InvalidInput.at("uses", f"{model.name} has no version {reference.version}; {newest}")
    if reference.alias:
        _check_alias(model, reference.alias)
    return str(reference).removeprefix(model.name)


def _check_alias(model: Model, name: str) -> None:
    there = list(model.aliases.order_by("name").values_list("name", flat=True))
    if name in there:
        return
    near = get_close_matches(name, there, 1)
    some = f"expected one of {', '.join(there[:SHOWN])}" if there else "it has none yet"
    raise InvalidInput.at(
        "uses", f"{model.name} has no alias {name!r}; {f'did you mean `{near[0]}`?' if near else some}"
    )

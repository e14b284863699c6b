"""How the pages write sizes, times, people and values."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from modelyard.control.jobs.handlers import about
from modelyard.core.metrics import amount, bytes_amount

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86400
LENGTHS = (((DAY, "d"), (HOUR, "h")), ((HOUR, "h"), (MINUTE, "min")), ((MINUTE, "min"), (1, "s")))
UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; it means nothing to screen readers, so the words beside it must do."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("console/icons.svg"), name
    )


@register.simple_tag
def meter(share: float, label: str = "") -> SafeString:
    """Draw a bar that is `share` (0 to 1) full. SVG attributes, since the policy allows no style attribute."""
    filled = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0
    return format_html(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{}" height="8"></rect></svg>',
        label or f"{filled:.1f} %",
        f"{filled:.3f}",
    )


@register.simple_tag
def histogram(bins: Mapping[str, Any] | None, label: str) -> SafeString | str:
    """Draw how values are spread, as bars of SVG attributes, since the policy allows no style attribute."""
    if not bins:
        return ""
    counts, edges = bins["counts"], bins["edges"]
    highest = max(max(counts), 1)
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="0.9" height="{}"><title>{} to {}: {}</title></rect>',
        (
            (place, f"{20 - high:.3f}", f"{high:.3f}", f"{edges[place]:.6g}", f"{edges[place + 1]:.6g}", f"{count:,}")
            for place, count in enumerate(counts)
            # The least bar is seen, and what is none has no bar.
            for high in [max(20 * count / highest, 0.6 if count else 0)]
        ),
    )
    return format_html(
        '<svg class="histogram" viewBox="0 0 {} 20" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        len(counts),
        label,
        bars,
    )


@register.filter
def number(count: float | None) -> str:
    """Write a count, or a rate, whole and with separators."""
    return "" if count is None else f"{count:,.0f}"


@register.filter
def size(count: int | None) -> str:
    """Write a number of bytes as people do."""
    return "" if count is None else bytes_amount(count)


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """Write how long ago (or how far ahead) it is; the exact time in UTC is in the title."""
    if moment is None:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    return format_html(
        '<time datetime="{}" title="{}" class="nowrap">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        distance(moment, seconds),
    )


def distance(moment: datetime, seconds: float) -> str:
    """Return `3 minutes ago`, `in 5 days`, or the date when it is more than a month away."""
    away = abs(seconds)
    if away >= 31 * DAY:
        return f"{moment.day} {moment:%b %Y}"
    if away < 45:
        return "just now" if seconds >= 0 else "in a moment"
    length, word = next(pair for pair in UNITS if away >= pair[0] or pair[0] == MINUTE)
    count = max(1, int(away // length))
    text = f"{count} {word}{'' if count == 1 else 's'}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


@register.filter
def duration(seconds: float | None) -> str:
    """Write how long something takes, in the two largest units that fit."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    larger, smaller = next(pair for pair in LENGTHS if whole >= pair[0][0])
    count, rest = divmod(whole, larger[0])
    fine = rest // smaller[0]
    return f"{count} {larger[1]}" + (f" {fine} {smaller[1]}" if fine else "")


@register.filter
def who(actor: str) -> str:
    """Write who did it: `user:ann` is ann, `key:ci` is key ci."""
    kind, colon, name = actor.partition(":")
    if not colon or kind == "user":
        return name or kind
    return f"{kind} {name}"


register.filter("about", about)


@register.filter
def value(given: Any) -> str:
    """Write a value as JSON does, but a text without its quotes and a number without noise."""
    if isinstance(given, str):
        return given
    if given is None:
        return "missing"
    if isinstance(given, float):
        return f"{given:.6g}"
    return json.dumps(given, ensure_ascii=False, default=str)


@register.filter
def told(given: Any) -> str:
    """Write what a job told as `value` does, a whole number with separators."""
    return f"{given:,}" if isinstance(given, int) and not isinstance(given, bool) else value(given)


@register.filter
def metric(given: float, name: str) -> str:
    """Write a value of a metric, those whose names say so with their unit."""
    return amount(name, given)


@register.filter
def percent(share: float | None) -> str:
    """Write a share of 1 in percent, without pretending that 99.96 % is all."""
    if share is None:
        return ""
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        return "> 99.9 %"
    if text == "0.0" and share > 0:
        return "< 0.1 %"
    return f"{text.removesuffix('.0')} %"


@register.filter
def pretty(given: Any) -> str:
    """Write JSON over several lines."""
    return json.dumps(given, indent=2, ensure_ascii=False, sort_keys=isinstance(given, Mapping), default=str)


@register.filter
def label_of(name: str) -> str:
    """Write a key of a report as words."""
    return name.replace("_", " ").replace("-", " ").strip().capitalize()


FORMATS = {
    "onnx": "ONNX",
    "sklearn-pickle": "pickle",
    "sklearn-joblib": "joblib",
    "sklearn-skops": "skops",
    "csv": "CSV",
    "parquet": "Parquet",
}
VERBS = {
    "activate": "Activated",
    "promote": "Promoted",
    "rollback": "Rolled back to",
    "deactivate": "Stopped",
}


@register.filter
def format_name(name: str) -> str:
    """Write a format as people call it."""
    return FORMATS.get(name, name)


@register.filter
def verb_text(verb: str) -> str:
    """Write what was done to the plan."""
    return VERBS.get(verb, label_of(verb))


@register.filter
def at(table: Mapping[Any, Any], key: Any) -> Any:
    """Return what a table holds under a key, or None."""
    return table.get(key)


@register.filter
def shape(lengths: tuple[int, ...]) -> str:
    """Write the shape of one row's value; -1 is any length."""
    return "[" + ", ".join("any" if length < 0 else str(length) for length in lengths) + "]"


@register.filter
def some(values: Any, most: int = 12) -> str:
    """Write a list of values, not all of a long one."""
    written = [value(item) for item in list(values)[:most]]
    rest = len(values) - len(written)
    return ", ".join(written) + (f", and {rest} more" if rest > 0 else "")


@register.filter
def entries(table: Any) -> list[tuple[Any, Any]]:
    """Return names and values of a table. Django's `.items` would be the value of what somebody has named `items`."""
    return list(table.items()) if isinstance(table, Mapping) else []


@register.filter
def pairs(given: Any) -> list[tuple[str, Any]]:
    """Return what a report holds as names and values, whether it is a number or an object of numbers."""
    if given is None:
        return []
    return (
        [(label_of(name).lower(), item) for name, item in given.items()]
        if isinstance(given, Mapping)
        else [("", given)]
    )


@register.filter
def exact(amount: Any) -> str:
    """Write a difference: 0 is 0, a small one keeps its magnitude."""
    if not isinstance(amount, (int, float)):
        return value(amount)
    return "0" if amount == 0 else f"{amount:.1e}" if abs(amount) < 0.001 else f"{amount:.4g}"

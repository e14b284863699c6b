"""What is asked of scoring."""

from rest_framework.serializers import BooleanField, CharField

from modelyard.control.rest.choices import Choice
from modelyard.control.rest.given import Given, Several
from modelyard.core.table import MAX_COLUMN_NAME, MAX_COLUMNS
from modelyard.scoring.naming import FORMATS


class AskedScoring(Given):
    """A scoring that is asked for."""

    model = CharField(max_length=140, help_text="`iris:3`, `iris@candidate`, or `iris`, the version that answers alone")
    format = Choice([(form, form) for form in FORMATS], default=FORMATS[0], help_text="of the result")
    columns = Several(
        child=CharField(max_length=MAX_COLUMN_NAME, trim_whitespace=False),
        max_length=MAX_COLUMNS,
        default=list,
        help_text="of the dataset, that stand before the predictions",
    )
    entity = CharField(
        max_length=MAX_COLUMN_NAME,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="the column that tells rows apart; it stands first",
    )
    precompute = BooleanField(
        default=False, help_text="at the end store the answers by entity, told at `/precomputed/{model}/{entity}`"
    )

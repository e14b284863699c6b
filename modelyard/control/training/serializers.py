"""Trainers, and what is asked of them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.fields import empty
from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    FloatField,
    IntegerField,
    JSONField,
    ListField,
    ModelSerializer,
    Serializer,
    UUIDField,
)

from modelyard.control.registry.facts import MAX_TEXT
from modelyard.control.rest.given import Given, Several
from modelyard.control.training.models import Reproduction
from modelyard.control.training.tenants import MOST_TENANTS


class TrainerSerializer(Serializer[Any]):
    """A trainer; `parameters` is a JSON Schema of what it takes."""

    name = CharField()
    title = CharField()
    parameters = JSONField()


ALL = "all"
_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_TENANTS}


@extend_schema_field({"oneOf": [_NAMES, {"type": "string", "enum": [ALL]}]})
class TenantNames(Several):
    """Names of tenants, or the word `all`, which becomes None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=CharField(max_length=64), min_length=1, max_length=MOST_TENANTS, **options)

    def run_validation(self, data: Any = empty) -> Any:
        return None if data == ALL else super().run_validation(data)


class OwnTraining(Given):
    """A training that is asked for in the caller's own tenant."""

    model = CharField(max_length=64, help_text="name of the model; it is made where there is none")
    dataset = CharField(max_length=80, help_text="`flights`, the newest that is ready, or `flights:2`")
    parameters = JSONField(default=dict, help_text="of the trainer")
    description = CharField(max_length=MAX_TEXT, default="", allow_blank=True, help_text="of the version")


class AskedTraining(OwnTraining):
    """A training that is asked for."""

    tenants = TenantNames(
        required=False, help_text="names, or `all`: a version in each, of its own dataset; scope `operator`"
    )
    skip_missing = BooleanField(
        default=False, help_text="leave out tenants that lack the dataset, or whose dataset does not fit"
    )


class ReproductionSerializer(ModelSerializer):
    """A training that was run again; `report` tells of each part whether it is `equal`, and what differs."""

    job = UUIDField(source="job_id", read_only=True, allow_null=True)
    verdict = CharField(read_only=True)
    report = JSONField(read_only=True)

    class Meta:
        model = Reproduction
        fields = ("equal", "verdict", "report", "job", "created_by", "created_at")
        read_only_fields = fields


class RowsSerializer(Serializer[Any]):
    """Rows of a training."""

    dataset = IntegerField(allow_null=True)
    used = IntegerField(allow_null=True, help_text="those with a value of the target")
    drawn = BooleanField(help_text="the dataset has more than `max_rows`")
    trained = IntegerField(help_text="learnt from, to be measured")
    held_out = IntegerField()


class FoldsSerializer(Serializer[Any]):
    mean = FloatField()
    std = FloatField()


class MeasuredSerializer(Serializer[Any]):
    """A metric on the rows held out."""

    name = CharField()
    value = FloatField()
    baseline = FloatField(
        source="usual", allow_null=True, help_text="of always saying the commonest class, or the mean"
    )
    no_better = BooleanField(help_text="than that")
    folds = FoldsSerializer(allow_null=True, help_text="by k-fold")


class RemarkSerializer(Serializer[Any]):
    """Something that whoever trains should know; `code` is for programs."""

    code = CharField(default="")
    message = CharField(default="")
    column = CharField(allow_null=True, default=None)


class ConfusionSerializer(Serializer[Any]):
    """`counts[i][j]`: rows of class i that were predicted as class j."""

    classes = ListField(child=JSONField())
    counts = ListField(child=ListField(child=IntegerField()))


class ScoreSerializer(Serializer[Any]):
    """A candidate of a search."""

    parameters = DictField(child=JSONField())
    metric = CharField()
    value = FloatField(allow_null=True)
    failure = CharField(allow_null=True)


class TrainedSerializer(Serializer[Any]):
    """A version's training, as far as its trainer told; `report` is all that it told, in its own words."""

    version = CharField()
    trainer = CharField()
    estimator = CharField(source="report.estimator")
    estimator_parameters = DictField(source="report.estimator_parameters", child=JSONField())
    task = CharField(source="report.task")
    target = CharField(source="report.target")
    rows = RowsSerializer(source="report.rows", allow_null=True)
    refit = CharField(source="report.refit", help_text="what the last fit was of")
    metrics = MeasuredSerializer(many=True)
    warnings = RemarkSerializer(many=True)
    confusion = ConfusionSerializer(source="report.confusion", allow_null=True)
    search = ScoreSerializer(many=True, help_text="the best first")
    report = JSONField(source="whole")

"""What a search's fields show as an example is what they take."""

import pytest

from modelyard.control.console.training.form import example, tried
from modelyard.trainers.stated import stated
from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.estimators import Kind, Parameter


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("estimator", sorted(listed.TABLE))
def test_an_example_fits_its_parameter(estimator: str, drawn: bool) -> None:
    found = listed.TABLE[estimator]
    for parameter, one in zip(found.parameters, stated(found.schema()), strict=True):
        if parameter.kind not in (Kind.INTEGER, Kind.NUMBER):
            continue
        values = tried(one, example(parameter, drawn))
        numbers = [values["low"], values["high"]] if isinstance(values, dict) else values
        assert numbers, parameter.name
        for number in numbers:
            assert isinstance(number, int) or parameter.kind is Kind.NUMBER, parameter.name
            assert parameter.low is None or parameter.low <= number, parameter.name
            assert parameter.high is None or number <= parameter.high, parameter.name


def test_an_example_lies_around_the_default() -> None:
    passes = Parameter("max_iter", Kind.INTEGER, 100, "", 1, 100_000)
    strength = Parameter("C", Kind.NUMBER, 1.0, "", 1e-6, 1e6)
    assert [example(passes, drawn) for drawn in (False, True)] == ["50, 100, 200", "50 to 200"]
    assert [example(strength, drawn) for drawn in (False, True)] == ["0.1, 1, 10", "0.1 to 10 log"]

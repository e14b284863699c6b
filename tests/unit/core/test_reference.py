"""References are read and written the same way, and names keep to one rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput
from modelyard.core.reference import NAME, NAME_RULE, Reference, check_name, parse_reference

names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True)
references = st.one_of(
    names.map(Reference),
    st.builds(Reference, names, version=st.integers(1, 2**31 - 1)),
    st.builds(Reference, names, alias=names),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iris", Reference("iris")),
        ("iris:3", Reference("iris", version=3)),
        ("iris@candidate", Reference("iris", alias="candidate")),
        ("a", Reference("a")),
        ("0", Reference("0")),
        ("iris:2147483647", Reference("iris", version=2147483647)),
        ("churn-2026.11_b@blue-1", Reference("churn-2026.11_b", alias="blue-1")),
    ],
)
def test_the_three_forms(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert str(expected) == text


@given(references)
def test_what_is_written_is_read_back(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidInput:
        return
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "iris:0",
        "iris:-1",
        "iris:",
        "iris:+1",
        "iris:1.0",
        "iris:x",
        "iris: 1",
        "iris:007",
        "iris:2147483648",
        "iris:21474836470000",
        "iris:" + "9" * 5000,
        "iris:\u0663",
        "iris:3\n",
        "iris:3@candidate",
    ],
)
def test_a_version_is_a_positive_whole_number(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected a positive whole number"):
        parse_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Iris",
        "iris ",
        "-iris",
        "iris-",
        ".iris",
        "..",
        "a/b",
        "a\\b",
        "a%2fb",
        "iris\n",
        "\u00e9",
        "a" * 65,
        ":3",
        "@a",
    ],
)
def test_a_model_keeps_to_the_rule_for_names(text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a model"):
        parse_reference(text)


@pytest.mark.parametrize("text", ["iris@", "iris@Candidate", "iris@a@b", "iris@../x"])
def test_an_alias_keeps_to_the_rule_for_names(text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name an alias"):
        parse_reference(text)


def test_a_refused_name_is_told_the_rule() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_name("My Tenant", "a tenant")
    assert caught.value.message == f"'My Tenant' cannot name a tenant: expected {NAME_RULE}"


@given(names)
def test_a_good_name_is_given_back(name: str) -> None:
    assert check_name(name, "a model") == name


@given(st.text(max_size=70))
def test_no_name_is_a_path(text: str) -> None:
    if NAME.match(text):
        assert "/" not in text
        assert "\\" not in text
        assert text not in {".", ".."}
        assert len(text) <= 64

import pytest

from modelyard.core.wording import one_line

NAN = (
    "Input X contains NaN.\nPerceptron does not accept missing values encoded as NaN natively. Alternatively, it is "
    "possible to preprocess the data, see https://scikit-learn.org/stable/modules/impute.html"
)


@pytest.mark.parametrize(
    ("text", "most", "said"),
    [
        ("short", 10, "short"),
        ("two\n  lines", 10, "two lines"),
        (NAN, 1000, " ".join(NAN.split())),
        (NAN, 120, "Input X contains NaN. Perceptron does not accept missing values encoded as NaN natively."),
        (NAN, 21, "Input X contains NaN."),
        (NAN, 20, "Input X contains..."),
        ("expected 1.5 columns, got: x y z", 26, "expected 1.5 columns..."),
        ("x" * 30, 10, "x" * 7 + "..."),
        (ValueError("of an error"), 20, "of an error"),
    ],
)
def test_whole_sentences_are_kept_else_whole_words(text: object, most: int, said: str) -> None:
    assert one_line(text, most) == said
    assert len(one_line(text, most)) <= most

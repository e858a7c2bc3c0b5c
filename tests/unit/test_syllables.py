import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot_local.text.syllables import syllables


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("the", 1), ("hello", 2), ("weather", 2), ("beautiful", 3), ("people", 2), ("idea", 3),
        ("wanted", 2), ("walked", 1), ("table", 2), ("created", 3), ("science", 2), ("nation", 2),
        ("radio", 3), ("quiet", 2), ("boxes", 2), ("makes", 1), ("assistant", 3), ("café", 2),
        ("computer", 3), ("fire", 1), ("friend", 1), ("hundred", 2), ("seventeen", 3), ("tea", 1),
        ("GPU", 3), ("WWW", 9), ("don't", 1), ("twenty-one", 3), ("42", 4), ("你好", 2),
        ("привет", 2), ("straße", 2), ("", 1), ("…", 1), ("😀", 1),
    ],
)  # fmt: skip
def test_estimates(word: str, count: int) -> None:
    assert abs(syllables(word) - count) <= (1 if word == "straße" else 0)


@given(st.text())
def test_any_text_has_at_least_one(word: str) -> None:
    assert syllables(word) >= 1

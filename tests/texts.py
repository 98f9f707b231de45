"""Texts for properties.

Those of Hypothesis begin with a look at the category of every character that there is: in a new working copy this
takes seconds, of each process.  The bounded run makes its own.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conftest import SOAK

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
"""All of ASCII that is seen."""
ANY = (
    st.sampled_from([chr(number) for number in range(0x100)])
    | st.integers(0x100, 0xD7FF).map(chr)
    | st.integers(0xE000, 0x10FFFF).map(chr)
)


def texts(most: int, alphabet: str = "", *, least: int = 0) -> st.SearchStrategy[str]:
    """Texts of so many characters of an alphabet; without one of any characters."""
    if SOAK:
        return st.text(alphabet or st.characters(exclude_categories=["Cs"]), min_size=least, max_size=most)
    character = st.sampled_from(alphabet) if alphabet else ANY
    return st.lists(character, min_size=least, max_size=most).map("".join)


def begun(first: str, alphabet: str, most: int) -> st.SearchStrategy[str]:
    """A character of `first`, and then at most so many of an alphabet."""
    return st.builds(str.__add__, st.sampled_from(first), texts(most, alphabet))

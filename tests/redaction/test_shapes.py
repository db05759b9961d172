"""Keys of vendors: each format is found, wherever it stands."""

from __future__ import annotations

import random

import pytest

from otel_llm_router import redaction
from otel_llm_router.redaction import HIDDEN
from otel_llm_router.redaction._catalogue import SHAPES
from planted import TEMPLATES, private_key, secret, token

SEED = random.Random()


def test_there_are_more_than_enough() -> None:
    assert len(SHAPES) >= 200
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_key_is_hidden(template: str) -> None:
    key = secret(template, SEED)
    for before, after in [
        ("", ""),
        ("upstream said no to ", " at the 3rd attempt"),
        ("(", ")"),
        ('{"message": "', '"}'),
        ("first line\n", "\nnext line"),
        ("escaped\\n", "\\nnext"),
        ("https://example.com/v1/", "/models"),
        ("https://example.com/?of=1&that=", "&model=gpt-4o"),
    ]:
        left = redaction.text(before + key + after)
        assert key not in left
        assert HIDDEN in left
        assert left.startswith(before)
        assert not any(key[place : place + 12] in left for place in range(8, len(key) - 12))


def test_several_in_one_text_are_hidden() -> None:
    keys = [secret(template, SEED) for template in TEMPLATES]
    left = redaction.text(" and ".join(keys))
    assert [key for key in keys if key in left] == []


def test_tokens_of_three_parts_are_hidden() -> None:
    key = token(SEED)
    assert redaction.text(f"claims of {key} have expired") == f"claims of {HIDDEN} have expired"
    assert redaction.text(f"claims\\n{key}\\n") == f"claims\\n{HIDDEN}\\n"


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""])
def test_private_keys_are_hidden(kind: str) -> None:
    key = private_key(SEED, kind)
    assert redaction.text(f"loaded {key} twice") == f"loaded {HIDDEN} twice"
    escaped = key.replace("\n", "\\n")
    assert redaction.text(f'{{"private": "{escaped}", "of": "me"}}') == f'{{"private": "{HIDDEN}", "of": "me"}}'


def test_a_private_key_that_was_cut_off_is_hidden() -> None:
    key = private_key(SEED)
    left = redaction.text(f"loaded {key[:200]}")
    assert left == f"loaded {HIDDEN}"


@pytest.mark.parametrize("end_of_line", [" ", "\ufffd", "\\n", "%0A"])
def test_a_private_key_that_was_made_a_name_is_hidden(end_of_line: str) -> None:
    name = private_key(SEED).replace("\n", end_of_line)[:255]
    assert redaction.text(f"route {name}\u2026") == f"route {HIDDEN}\u2026"

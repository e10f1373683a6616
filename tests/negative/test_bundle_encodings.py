"""One bundle, one encoding: every other spelling of the same content is refused (CON-1, B34)."""

from __future__ import annotations

import json

import pytest

from bundle_kit import as_json, changed, valid
from lianzheng.errors import VerificationError
from lianzheng.verify import verify_bundle

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _code(data: bytes) -> str:
    with pytest.raises(VerificationError) as refusal:
        verify_bundle(data, valid()[1])
    return refusal.value.code


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in sorted(value, reverse=True)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "spell",
    [
        lambda value: json.dumps(value).encode(),
        lambda value: json.dumps(value, indent=1).encode(),
        lambda value: json.dumps(_reversed(value), separators=(",", ":")).encode(),
        lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True).encode() + b"\n",
        lambda value: b" " + json.dumps(value, separators=(",", ":"), sort_keys=True).encode(),
        lambda value: _compact(value).replace("case-1", "\\u0063ase-1").encode(),
        lambda value: _compact(value).replace('"v":1}', '"v":1,"v":1}').encode(),
    ],
)  # fmt: skip
def test_con1_another_spelling_of_the_same_content_is_refused(spell: object) -> None:
    assert _code(spell(as_json())) == "bundle_not_canonical"  # type: ignore[operator]


def test_con1_the_other_spellings_of_a_32_byte_value_are_refused() -> None:
    """The last of 43 base64url characters has two spare bits: three more spellings, and one with padding."""
    salt = as_json()["records"][0]["salt"]
    last = _ALPHABET.index(salt[-1])
    others = [salt[:-1] + _ALPHABET[last ^ spare] for spare in (1, 2, 3)] + [salt + "="]
    for other in others:
        assert _code(changed(("records", 0, "salt"), other)) == "bundle_malformed"


@pytest.mark.parametrize(
    "data",
    [
        b'{"v":1.0}',
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b'{"v":"\\ud800"}',
        b"[" * 1000,
        b"9" * 400,
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    assert _code(data) in ("bundle_malformed", "bundle_not_canonical")


def test_size_is_bounded() -> None:
    assert _code(b" " * (16 * 1024 * 1024 + 1)) == "bundle_too_large"

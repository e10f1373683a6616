"""What people read after a verification."""

from __future__ import annotations

from bundle_kit import valid
from lianzheng.errors import VerificationError
from lianzheng.verify import refusal_lines, verify_bundle


def test_an_accepted_bundle_says_so_first_and_names_each_record() -> None:
    lines = verify_bundle(*valid()).lines()
    assert lines[0].startswith("VALID")
    assert sum("anchored in block" in line for line in lines) == 3
    assert any("适当性测评 Suitability test by clerk: 0.txt, 1.txt" in line for line in lines)
    assert all("UTC+8" in line for line in lines if "block" in line)


def test_without_trust_the_first_line_says_what_is_missing() -> None:
    assert verify_bundle(valid()[0], None).lines()[0].startswith("CONSISTENT BUT UNANCHORED")


def test_a_refusal_names_the_part_and_the_next_step() -> None:
    error = VerificationError("app_hash_mismatch", "Text.", next_step="Step.")
    assert refusal_lines(error) == ("REFUSED (app_hash_mismatch): Text.", "Step.")

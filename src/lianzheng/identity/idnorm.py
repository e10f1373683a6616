"""Identity numbers in their one normal form, and the group element they stand for (ID-1, ID-2, B3).

idnorm:  parts(type, country, number), ASCII upper case
U:       H2G1(idnorm), DST purpose ``IDENTITY``. Whoever knows the number can compute U: never let it travel.
"""

from __future__ import annotations

import re

from lianzheng.clock import day_of, start_of_day_ms
from lianzheng.crypto.h2c import hash_to_g1
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.framing import frame
from lianzheng.errors import FormatError, RefusedError
from lianzheng.registry import DOCUMENT_TYPES

__all__ = ["identity_element", "make_sample_number", "make_sample_uscc", "normalise", "normalise_number"]

_PROVINCES = (
    *range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66),
    71, 81, 82, 83,
)  # fmt: skip
"""First two digits of GB/T 2260; 83 stands on the residence permits of Taiwan residents."""
_SAMPLE = "99"
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643: 2^(17-i) mod 11
_RESIDENT_CHECKS = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B)}
_SERIALS_PER_AREA = 500
_RESIDENT_SERIALS = 10_000 * _SERIALS_PER_AREA


def normalise(document_type: str, country: str, number: str, *, test_network: bool) -> bytes:
    """``idnorm`` (B3).

    Raises ``FormatError``: ``document_type_unknown``, ``identity_country_invalid``, ``identity_number_invalid``;
    ``RefusedError`` ``sample_number_on_live_network`` (ID-1).
    """
    normal = normalise_number(document_type, country, number)
    kind = DOCUMENT_TYPES[document_type]
    area = {"gb11643": normal[:2], "gb32100": normal[2:4]}.get(kind.check, "")
    if area == _SAMPLE and not test_network:
        raise RefusedError(
            "sample_number_on_live_network",
            "The number is that of a sample person, who exists on test networks only.",
            next_step="Use the number on the person's document.",
        )
    return frame(document_type, country.upper(), normal)


def normalise_number(document_type: str, country: str, number: str) -> str:
    """The number alone in its normal form; raises as :func:`normalise`, without the rule on samples."""
    kind = DOCUMENT_TYPES.get(document_type)
    if kind is None:
        raise FormatError("document_type_unknown", "The document type is not in the registry.")
    if not re.fullmatch(r"[A-Z]{2}", country.upper()) or kind.country not in ("", country.upper()):
        raise FormatError("identity_country_invalid", "The issuing country does not fit the document type.")
    normal = number.strip().translate(_FULL_WIDTH).upper()
    if kind.check == "gb11643" and re.fullmatch(r"[0-9]{15}", normal):
        body = normal[:6] + "19" + normal[6:]  # 15-digit numbers were given to people born in the 1900s only
        normal = body + _resident_check(body)
    if not normal.isascii() or not re.fullmatch(kind.pattern, normal):
        raise _invalid()
    if kind.check == "gb11643":
        _check_resident(normal)
    if kind.check == "gb32100" and normal[17] != _uscc_check(normal[:17]):
        raise _invalid()
    return normal


def identity_element(idnorm: bytes) -> G1:
    """``U = H2G1(idnorm)`` (ID-2). As good as the number itself: keep it where the number is kept."""
    return hash_to_g1("IDENTITY", idnorm)


def make_sample_number(serial: int, birth_date: str, sex: str) -> str:
    """A well-formed resident number of a person who does not exist: area 99xxxx (ID-1).

    ``serial`` below 5,000,000, ``birth_date`` as ``YYYY-MM-DD``, ``sex`` ``female`` or ``male``; different serials
    give different numbers. Raises ``FormatError`` ``sample_invalid``.
    """
    if not 0 <= serial < _RESIDENT_SERIALS or sex not in ("female", "male"):
        raise FormatError("sample_invalid", "A sample number needs a serial below 5,000,000 and a sex.")
    area, place = divmod(serial, _SERIALS_PER_AREA)
    order = 2 * place + (1 if sex == "male" else 0)
    body = f"{_SAMPLE}{area:04d}{birth_date.replace('-', '')}{order:03d}"
    number = body + _resident_check(body)
    _check_resident(number)
    return number


def make_sample_uscc(serial: int) -> str:
    """A well-formed unified social credit code of an enterprise that does not exist: area 99xxxx (GB 32100, GB 11714).

    ``serial`` below 10^8. Raises ``FormatError`` ``sample_invalid``.
    """
    if not 0 <= serial < 10**8:
        raise FormatError("sample_invalid", "A sample code needs a serial below 10^8.")
    organisation = f"{serial:08d}"
    rest = 11 - sum(int(c) * w for c, w in zip(organisation, _ORGANISATION_WEIGHTS, strict=True)) % 11
    body = f"91{_SAMPLE}0000{organisation}" + {10: "X", 11: "0"}.get(rest, str(rest))
    return body + _uscc_check(body)


def _check_resident(number: str) -> None:
    birth = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    in_shape = re.fullmatch(r"(18|19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", birth)
    if (
        not in_shape
        or day_of(start_of_day_ms(birth)) != birth
        or (number[:2] != _SAMPLE and int(number[:2]) not in _PROVINCES)
        or number[17] != _resident_check(number[:17])
    ):
        raise _invalid()


def _resident_check(body: str) -> str:
    """ISO 7064 MOD 11-2."""
    return _RESIDENT_CHECKS[sum(int(c) * w for c, w in zip(body, _RESIDENT_WEIGHTS, strict=True)) % 11]


def _uscc_check(body: str) -> str:
    total = sum(_USCC_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return _USCC_ALPHABET[-total % 31]


def _invalid() -> FormatError:
    return FormatError(
        "identity_number_invalid",
        "The identity number does not pass the check of its standard.",
        next_step="Compare it with the document.",
    )

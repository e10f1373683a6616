"""Identity numbers (ID-1, ID-2). Check digits: GB 11643's own sample, a published code, and arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.crypto.h2c import hash_to_g1
from lianzheng.errors import LianzhengError
from lianzheng.identity.idnorm import (
    identity_element,
    make_sample_number,
    make_sample_uscc,
    normalise,
    normalise_number,
)

GB_11643_SAMPLE = "11010519491231002X"


def test_the_layout_is_three_framed_parts() -> None:
    parts = (b"RESIDENT_ID", b"CN", GB_11643_SAMPLE.encode())
    expected = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert normalise("RESIDENT_ID", "CN", GB_11643_SAMPLE, test_network=False) == expected
    assert identity_element(expected) == hash_to_g1("IDENTITY", expected)


@pytest.mark.parametrize(
    "number", ["11010519491231002x", "110105491231002", "1101051949123100２Ｘ", " 11010519491231002X "]
)
def test_spellings_of_one_number_agree(number: str) -> None:
    # the 15-digit form leaves out century and check digit; its full form is the standard's sample
    assert normalise_number("RESIDENT_ID", "cn", number) == GB_11643_SAMPLE


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",
        "11010519491231003X",
        "11010519490231002X",
        "010105194912310028",
        "1101051949123100",
        "1101051949123100²X",
        "",
    ],
)
def test_malformed_resident_numbers_are_refused(number: str) -> None:
    with pytest.raises(LianzhengError, match="identity_number_invalid"):
        normalise_number("RESIDENT_ID", "CN", number)


def test_a_day_the_calendar_lacks_is_refused_even_with_its_right_check_digit() -> None:
    weights = [pow(2, 17 - i, 11) for i in range(17)]
    body = "11010519490230002"
    check = "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]
    with pytest.raises(LianzhengError, match="identity_number_invalid"):
        normalise_number("RESIDENT_ID", "CN", body + check)


def test_unified_social_credit_codes() -> None:
    assert normalise_number("USCC", "CN", "91110000600037341l".upper()) == "91110000600037341L"
    with pytest.raises(LianzhengError, match="identity_number_invalid"):
        normalise_number("USCC", "CN", "911100006000373411")


@given(st.integers(0, 10**8 - 1))
def test_sample_codes_pass_the_check_of_their_standard(serial: int) -> None:
    code = make_sample_uscc(serial)
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(code[:17]))
    assert (total + alphabet.index(code[17])) % 31 == 0
    assert code[2:4] == "99"
    assert normalise_number("USCC", "CN", code) == code


@given(st.integers(0, 4_999_999), st.dates(), st.sampled_from(["female", "male"]))
def test_sample_numbers_pass_and_tell_the_sex(serial: int, birth: object, sex: str) -> None:
    day = str(birth)
    if not "1800" <= day[:4] < "2100":
        return
    number = make_sample_number(serial, day, sex)
    # GB 11643: all eighteen digits weighted by 2^(18-i) sum to 1 mod 11
    digits = [10 if c == "X" else int(c) for c in number]
    assert sum(d * pow(2, 17 - i, 11) for i, d in enumerate(digits)) % 11 == 1
    assert (int(number[16]) % 2 == 1) == (sex == "male")
    assert normalise_number("RESIDENT_ID", "CN", number) == number


def test_sample_people_exist_on_test_networks_only() -> None:
    number = make_sample_number(3, "1980-02-29", "male")
    assert normalise("RESIDENT_ID", "CN", number, test_network=True)
    for kind, sample in (("RESIDENT_ID", number), ("USCC", make_sample_uscc(1))):
        with pytest.raises(LianzhengError, match="sample_number_on_live_network"):
            normalise(kind, "CN", sample, test_network=False)


def test_type_and_country_belong_to_the_number() -> None:
    with pytest.raises(LianzhengError, match="document_type_unknown"):
        normalise("DRIVING_LICENCE", "CN", "X", test_network=True)
    with pytest.raises(LianzhengError, match="identity_country_invalid"):
        normalise("RESIDENT_ID", "US", GB_11643_SAMPLE, test_network=True)
    one = normalise("PASSPORT", "FR", "12AB34567", test_network=True)
    other = normalise("PASSPORT", "DE", "12ab34567", test_network=True)
    assert identity_element(one) != identity_element(other)


def test_an_error_never_holds_the_number() -> None:
    with pytest.raises(LianzhengError) as caught:
        normalise_number("RESIDENT_ID", "CN", "110105194912310021")
    assert "110105" not in f"{caught.value} {caught.value.text} {caught.value.detail} {caught.value.next_step}"

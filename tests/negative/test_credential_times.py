"""Clocks against credentials, envelopes and presentations: each bound has its last millisecond and the one after.

Times in documents are those of ``credential_kit``: now is 2026-09-21T14:13:20Z. Two honest clocks differ by at most
five minutes, 300,000 ms; a ``validUntil`` counts to the end of its second, ``expires`` and ``exp`` to its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from credential_kit import NOW_MS, SUITES, issuer_name, policy, signed, signer, unsigned
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.enveloped import ENVELOPED_PRESENTATION, envelop
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import verify_presentation, verify_vc
from lianzheng.limits import CLOCK_SKEW_MS

_CODECS = [ED25519_PUB, P256_PUB, P384_PUB]
_CHALLENGE = "c" * 22
_EARLY = "2026-01-01T00:00:00Z"
"""A proof that was made long before: its own time is no matter."""
_NOW = "2026-09-21T14:13:20Z"

Verify = Callable[[JsonObject, int], object]


def _credential(document: JsonObject, now_ms: int) -> object:
    return verify_vc(document, policy(now_ms=now_ms))


def _presentation(document: JsonObject, now_ms: int) -> object:
    return verify_presentation(document, policy(now_ms=now_ms, challenge=_CHALLENGE))


def _holds_up_to(verify: Verify, document: JsonObject, last_ms: int, code: str) -> None:
    """Passes at ``last_ms`` and is refused a millisecond later."""
    verify(document, last_ms)
    with pytest.raises(LianzhengError) as caught:
        verify(document, last_ms + 1)
    assert caught.value.code == code


def _holds_from(verify: Verify, document: JsonObject, first_ms: int, code: str) -> None:
    """Passes at ``first_ms`` and is refused a millisecond earlier."""
    verify(document, first_ms)
    with pytest.raises(LianzhengError) as caught:
        verify(document, first_ms - 1)
    assert caught.value.code == code


def _made(suite: str, *, created: str | None = _EARLY, expires: str | None = None, **change: Any) -> JsonObject:
    by = signer(SUITES[suite])
    return create_proof(unsigned(by, **change), by, ProofOptions(suite, created=created, expires=expires))


def _shown(inside: Any, *, created: str = _EARLY, expires: str | None = None) -> JsonObject:
    """A presentation of one credential, with the holder's proof."""
    holder = signer(number=7)
    document = {
        "@context": signed()["@context"],
        "type": ["VerifiablePresentation"],
        "holder": issuer_name(holder),
        "verifiableCredential": [inside],
    }
    options = ProofOptions(
        "eddsa-jcs-2022", created=created, expires=expires, purpose="authentication", challenge=_CHALLENGE
    )
    return create_proof(document, holder, options)


def _shown_in_envelope(inside: Any, **claims: Any) -> JsonObject:
    holder = signer(P256_PUB, 9)
    document = {
        "@context": signed()["@context"],
        "type": "VerifiablePresentation",
        "holder": issuer_name(holder),
        "verifiableCredential": [inside],
        "nonce": _CHALLENGE,
    }
    return envelop({**document, **claims}, holder, ENVELOPED_PRESENTATION)


def test_the_numbers_of_this_file() -> None:
    assert CLOCK_SKEW_MS == 300_000
    assert datetime.fromtimestamp(NOW_MS / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") == _NOW


@pytest.mark.parametrize("suite", SUITES)
def test_a_credential_not_yet_valid(suite: str) -> None:
    document = _made(suite, validFrom=_NOW)
    _holds_from(_credential, document, NOW_MS - 300_000, "credential_not_yet_valid")


@pytest.mark.parametrize("suite", SUITES)
def test_a_credential_that_has_expired(suite: str) -> None:
    document = _made(suite, validUntil=_NOW)
    _holds_up_to(_credential, document, NOW_MS + 999 + 300_000, "credential_expired")


@pytest.mark.parametrize("suite", SUITES)
def test_a_proof_made_in_the_future(suite: str) -> None:
    document = _made(suite, created=_NOW)
    _holds_from(_credential, document, NOW_MS - 300_000, "proof_not_yet_valid")


@pytest.mark.parametrize("suite", SUITES)
def test_a_proof_that_has_expired(suite: str) -> None:
    document = _made(suite, expires=_NOW)
    _holds_up_to(_credential, document, NOW_MS - 1 + 300_000, "proof_expired")


def test_a_time_with_an_offset_is_the_same_instant() -> None:
    """Eight hours east of Greenwich, as people here write it."""
    document = _made("eddsa-jcs-2022", validFrom="2026-09-21T22:13:20+08:00", validUntil="2026-09-21T22:13:20+08:00")
    _holds_from(_credential, document, NOW_MS - 300_000, "credential_not_yet_valid")
    _holds_up_to(_credential, document, NOW_MS + 999 + 300_000, "credential_expired")


def test_a_clock_within_the_skew_is_an_honest_one() -> None:
    """Both bounds at once: valid for one second, believed from five minutes before it to five minutes after."""
    document = _made("eddsa-jcs-2022", created=_NOW, validFrom=_NOW, validUntil=_NOW)
    for now_ms in (NOW_MS - 300_000, NOW_MS, NOW_MS + 999, NOW_MS + 300_999):
        verify_vc(document, policy(now_ms=now_ms))
    with pytest.raises(LianzhengError, match="proof_not_yet_valid"):  # the proof is looked at before the document
        _credential(document, NOW_MS - 300_001)
    with pytest.raises(LianzhengError, match="credential_expired"):
        _credential(document, NOW_MS + 301_000)


@pytest.mark.parametrize("codec", _CODECS)
def test_an_envelope_whose_credential_is_not_yet_valid(codec: int) -> None:
    by = signer(codec)
    document = envelop(unsigned(by, validFrom=_NOW), by)
    _holds_from(_credential, document, NOW_MS - 300_000, "credential_not_yet_valid")


@pytest.mark.parametrize("codec", _CODECS)
def test_an_envelope_whose_credential_has_expired(codec: int) -> None:
    by = signer(codec)
    document = envelop(unsigned(by, validUntil=_NOW), by)
    _holds_up_to(_credential, document, NOW_MS + 999 + 300_000, "credential_expired")


@pytest.mark.parametrize("codec", _CODECS)
def test_an_envelope_that_has_expired(codec: int) -> None:
    by = signer(codec)
    document = envelop({**unsigned(by), "exp": NOW_MS // 1000}, by)
    _holds_up_to(_credential, document, NOW_MS - 1 + 300_000, "envelope_expired")


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("codec", _CODECS)
def test_an_envelope_not_yet_valid(codec: int, claim: str) -> None:
    by = signer(codec)
    document = envelop({**unsigned(by), claim: NOW_MS // 1000}, by)
    _holds_from(_credential, document, NOW_MS - 300_000, "envelope_not_yet_valid")


def test_claims_and_document_each_bind() -> None:
    """A long ``exp`` does not prolong ``validUntil``, nor the other way round; the same of the beginning."""
    by, now, year = signer(P256_PUB), NOW_MS // 1000, 365 * 86_400
    long = envelop({**unsigned(by, validUntil=_NOW), "exp": now + year}, by)
    _holds_up_to(_credential, long, NOW_MS + 999 + 300_000, "credential_expired")
    short = envelop({**unsigned(by, validUntil="2027-09-21T14:13:20Z"), "exp": now}, by)
    _holds_up_to(_credential, short, NOW_MS - 1 + 300_000, "envelope_expired")
    early = envelop({**unsigned(by, validFrom=_NOW), "nbf": now - year}, by)
    _holds_from(_credential, early, NOW_MS - 300_000, "credential_not_yet_valid")
    late = envelop({**unsigned(by, validFrom=_EARLY), "nbf": now}, by)
    _holds_from(_credential, late, NOW_MS - 300_000, "envelope_not_yet_valid")


def test_a_presentation_made_in_the_future() -> None:
    document = _shown(_made("eddsa-jcs-2022"), created=_NOW)
    _holds_from(_presentation, document, NOW_MS - 300_000, "proof_not_yet_valid")


def test_a_presentation_that_has_expired() -> None:
    document = _shown(_made("eddsa-jcs-2022"), expires=_NOW)
    _holds_up_to(_presentation, document, NOW_MS - 1 + 300_000, "proof_expired")


def test_a_presentation_of_a_credential_not_yet_valid() -> None:
    document = _shown(_made("eddsa-jcs-2022", validFrom=_NOW))
    _holds_from(_presentation, document, NOW_MS - 300_000, "credential_not_yet_valid")


def test_a_presentation_of_a_credential_that_has_expired() -> None:
    document = _shown(_made("eddsa-jcs-2022", validUntil=_NOW))
    _holds_up_to(_presentation, document, NOW_MS + 999 + 300_000, "credential_expired")


def test_a_presentation_of_an_envelope_that_has_expired() -> None:
    by = signer(P256_PUB)
    document = _shown(envelop({**unsigned(by), "exp": NOW_MS // 1000}, by))
    _holds_up_to(_presentation, document, NOW_MS - 1 + 300_000, "envelope_expired")


def test_a_presentation_of_an_envelope_not_yet_valid() -> None:
    by = signer(P256_PUB)
    document = _shown(envelop({**unsigned(by), "nbf": NOW_MS // 1000}, by))
    _holds_from(_presentation, document, NOW_MS - 300_000, "envelope_not_yet_valid")


def test_an_enveloped_presentation_that_has_expired() -> None:
    document = _shown_in_envelope(_made("eddsa-jcs-2022"), exp=NOW_MS // 1000)
    _holds_up_to(_presentation, document, NOW_MS - 1 + 300_000, "envelope_expired")


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_an_enveloped_presentation_not_yet_valid(claim: str) -> None:
    document = _shown_in_envelope(_made("eddsa-jcs-2022"), **{claim: NOW_MS // 1000})
    _holds_from(_presentation, document, NOW_MS - 300_000, "envelope_not_yet_valid")


def test_an_enveloped_presentation_of_a_credential_out_of_its_time() -> None:
    early = _shown_in_envelope(_made("eddsa-jcs-2022", validFrom=_NOW))
    _holds_from(_presentation, early, NOW_MS - 300_000, "credential_not_yet_valid")
    late = _shown_in_envelope(_made("eddsa-jcs-2022", validUntil=_NOW))
    _holds_up_to(_presentation, late, NOW_MS + 999 + 300_000, "credential_expired")

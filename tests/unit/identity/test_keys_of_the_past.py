"""Which key a proof may be under: the one that stands, or one that stood when it was made; never a recovered one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from did_kit import Holder, Network
from lianzheng.encoding.multikey import decode_any_multikey
from lianzheng.errors import LianzhengError
from lianzheng.identity.did.model import commitment
from lianzheng.identity.resolution.keys import KeyUse, ledger_key, published_key

MINUTE_MS = 60_000


class Scene:
    """A holder who rotates ``#key-1`` (key 0) to key 1 a minute after creation; a minute passes before and after."""

    def __init__(self, **options: Any) -> None:
        self.network = Network()
        self.holder = self.network.created(Holder("holder", **options))
        self.created_ms = self.network.time_ms
        self.network.time_ms += MINUTE_MS
        self.rotated_ms = 0

    @property
    def method(self) -> str:
        return f"{self.holder.did}#key-1"

    def rotate(self, **change: Any) -> None:
        number = change.pop("to", 1)
        assert self.network.update(self.holder, keys=(self.holder.key(number),), **change) == "ok"
        self.rotated_ms = self.network.time_ms
        self.network.time_ms += MINUTE_MS

    def key(self, signed_ms: int | None, purpose: str = "assertionMethod") -> KeyUse:
        return ledger_key(self.network.state, self.method, purpose, signed_ms)

    def is_key(self, use: KeyUse, number: int | str) -> bool:
        return use.key.raw == decode_any_multikey(self.holder.multikey(number))[1]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(LianzhengError) as caught:
        call()
    return caught.value.code


def test_a_key_that_stands_is_used_whatever_the_time_says() -> None:
    scene = Scene()
    for signed_ms in (None, 0, scene.created_ms, scene.network.time_ms + MINUTE_MS):
        use = scene.key(signed_ms)
        assert scene.is_key(use, 0)
        assert (use.version, use.until_ms) == (1, None)


def test_after_a_rotation_the_time_of_the_signature_decides() -> None:
    scene = Scene()
    scene.rotate()
    before, after = scene.key(scene.rotated_ms - 1), scene.key(scene.rotated_ms)
    assert scene.is_key(before, 0)
    assert (before.version, before.until_ms, before.past) == (1, scene.rotated_ms, True)
    assert scene.is_key(after, 1)
    assert (after.version, after.until_ms, after.past) == (2, None, False)
    assert scene.is_key(scene.key(None), 1), "a proof without a time is one of now"
    assert scene.is_key(scene.key(0), 1), "before the DID there was no key: only what stands now can have signed"


def test_who_presents_or_logs_in_does_it_with_a_key_that_stands() -> None:
    scene = Scene()
    scene.rotate()
    assert scene.is_key(scene.key(scene.rotated_ms - 1, "authentication"), 1)


def test_a_recovery_ends_what_the_key_before_it_signed() -> None:
    scene = Scene(recovery=True)
    again = commitment("recovery", scene.holder.multikey("r2"))
    control = scene.holder.control(recovery=again)
    assert scene.network.recover(scene.holder, keys=(scene.holder.key(5),), control=control) == "ok"
    assert refused(lambda: scene.key(scene.created_ms)) == "proof_key_recovered"
    assert scene.is_key(scene.key(scene.network.time_ms), 5)


def test_a_key_rotated_out_before_a_recovery_keeps_its_worth() -> None:
    scene = Scene(recovery=True)
    scene.rotate()
    again = commitment("recovery", scene.holder.multikey("r2"))
    control = scene.holder.control(recovery=again)
    assert scene.network.recover(scene.holder, keys=(scene.holder.key(5),), control=control) == "ok"
    assert scene.key(scene.created_ms).until_ms == scene.rotated_ms
    assert refused(lambda: scene.key(scene.rotated_ms)) == "proof_key_recovered"


def test_under_commitments_a_rotation_is_no_recovery() -> None:
    scene = Scene(next_keys=1, recovery=True)
    follow = scene.holder.control(next=(commitment("next", scene.holder.multikey(2)),))
    scene.rotate(signer=1, control=follow)
    assert scene.key(scene.created_ms).until_ms == scene.rotated_ms


def test_a_key_that_comes_back_is_one_that_stands() -> None:
    scene = Scene()
    scene.rotate()
    scene.rotate(to=0, signer=1)
    assert scene.is_key(scene.key(scene.created_ms), 0)
    assert not scene.key(scene.created_ms).past


def test_of_a_deactivated_did_nothing_counts() -> None:
    scene = Scene()
    assert scene.network.deactivate(scene.holder) == "ok"
    for signed_ms in (None, scene.created_ms):
        assert refused(lambda when=signed_ms: scene.key(when)) == "did_deactivated"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("{did}#other", "verification_method_unknown"),
        ("{did}", "verification_method_unknown"),
        ("did:lz:test-ledger:z1111111111111111111111111111111111111111111#key-1", "did_unknown"),
        ("did:lz:test-ledger:z0#key-1", "did_invalid"),
    ],
)
def test_what_is_no_key(method: str, code: str) -> None:
    scene = Scene()
    named = method.replace("{did}", scene.holder.did)
    assert refused(lambda: ledger_key(scene.network.state, named, "assertionMethod", None)) == code


def test_a_key_serves_its_purposes_alone() -> None:
    scene = Scene()
    login = scene.holder.key(3, "#login").model_copy(update={"purposes": ("authentication",)})
    assert scene.network.update(scene.holder, keys=(scene.holder.key(0), login)) == "ok"
    name = f"{scene.holder.did}#login"
    assert refused(lambda: ledger_key(scene.network.state, name, "assertionMethod")) == "verification_method_unknown"
    assert ledger_key(scene.network.state, name, "authentication").version == 2


WEB = "did:web:issuer.example"
KEY = "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
METHOD = {"id": "#k", "type": "Multikey", "controller": WEB, "publicKeyMultibase": KEY}


@pytest.mark.parametrize(
    "document",
    [
        {"verificationMethod": [METHOD], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD | {"id": f"{WEB}#k"}], "assertionMethod": [f"{WEB}#k"]},
        {"assertionMethod": [METHOD]},
    ],
)
def test_a_published_document_lists_its_key_for_the_purpose(document: dict[str, Any]) -> None:
    assert published_key(document, f"{WEB}#k", "assertionMethod").key.raw == decode_any_multikey(KEY)[1]
    assert refused(lambda: published_key(document, f"{WEB}#k", "authentication")) == "verification_method_unknown"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"verificationMethod": [METHOD]},
        {"verificationMethod": [METHOD | {"publicKeyMultibase": "z1"}], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD | {"type": "JsonWebKey"}], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD], "assertionMethod": [["#k"]]},
        {"verificationMethod": "x", "assertionMethod": "#k"},
        {"verificationMethod": [METHOD | {"controller": "did:web:other.example"}], "assertionMethod": ["#k"]},
        {"assertionMethod": [{name: value for name, value in METHOD.items() if name != "controller"}]},
        {"verificationMethod": [METHOD | {"revoked": "2099-01-01T00:00:00Z"}], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD | {"revoked": None}], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD | {"expires": "soon"}], "assertionMethod": ["#k"]},
        {"verificationMethod": [METHOD | {"expires": "2099-01-01T00:00:00Z"}], "assertionMethod": ["#k"]},
    ],
)
def test_a_published_document_that_does_not(document: dict[str, Any]) -> None:
    assert refused(lambda: published_key(document, f"{WEB}#k", "assertionMethod")) == "verification_method_unknown"


def test_a_published_key_counts_to_its_end_and_no_longer() -> None:
    """Controlled Identifiers 1.0, 2.2: no proof counts at or after ``expires``. 2026-01-01 is 20,454 days of 1970."""
    document = {"verificationMethod": [METHOD | {"expires": "2026-01-01T00:00:00Z"}], "assertionMethod": ["#k"]}
    end_ms = 20_454 * 86_400_000
    assert published_key(document, f"{WEB}#k", "assertionMethod", end_ms - 1).key.controller == WEB
    for now_ms in (end_ms, end_ms + 1):
        ask = partial(published_key, document, f"{WEB}#k", "assertionMethod", now_ms)
        assert refused(ask) == "verification_method_unknown"

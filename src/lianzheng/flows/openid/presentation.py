"""OpenID4VP 1.0 as verifier: a request by DCQL for one registered purpose, and the answer by ``direct_post``.

What the product adds to the text: only kinds of the alliance, only with holder binding, only for a purpose of the
closed registry, which has none for sales. An answer counts once and whole: one presentation that fails refuses all.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.errors import FormatError, LianzhengError, NotFoundError, RefusedError
from lianzheng.flows.credentials import CredentialDesk
from lianzheng.flows.openid.shelf import Shelf, secret
from lianzheng.flows.verification import Demand, Verdict
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.openid.dcql import CredentialQuery, Held, Query, check_answer, parse_query
from lianzheng.identity.openid.formats import JWT_VC, held_of, unpacked_presentation
from lianzheng.identity.openid.jwe import ResponseKey
from lianzheng.identity.openid.jwt import sign_jwt
from lianzheng.identity.openid.verifier import AUDIENCE, REQUEST_TYP, asked_kinds, client_metadata
from lianzheng.limits import OPENID_ATTEMPTS_MAX, OPENID_BODY_BYTES_MAX, OPENID_REQUEST_MS, PRESENTED_MAX
from lianzheng.registry.purposes import PURPOSES

__all__ = ["Asked", "Presented", "PresentationDesk", "Wish"]

State = Literal["open", "checking", "presented", "declined", "dead"]
_METHODS = frozenset({"lz", "key"})
_ERROR = re.compile(r"[a-z_]{1,64}\Z")
_REDIRECT = re.compile(r"https://[!-~]{1,400}\Z")
_WALLET_NONCE = re.compile(r"[A-Za-z0-9._~-]{1,256}\Z")


@dataclass(frozen=True)
class Wish:
    """What the operator asks a wallet for.

    ``signed``: as a request object under the member's DID; without, by value under ``redirect_uri:``, which proves
    nothing about who asks. ``encrypted``: ``direct_post.jwt``. ``redirect_uri``: where the wallet sends the person
    afterwards, with a code that the result then asks for.
    """

    query: JsonObject
    purpose: str
    signed: bool = True
    encrypted: bool = False
    redirect_uri: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request that waits: its id for the operator, its URI for the wallet."""

    id: str
    uri: str


@dataclass(frozen=True)
class Presented:
    """One credential of an accepted answer: for which query, by whom, and the verdict on it."""

    query: str
    holder: str
    verdict: Verdict


@dataclass
class _Transaction:
    id: str
    nonce: str
    state_value: str
    client_id: str
    response_uri: str
    query: Query
    wish: Wish
    key: ResponseKey | None
    expires_s: int
    state: State = "open"
    failures: int = 0
    error: str = ""
    response_code: str = ""
    presented: tuple[Presented, ...] = field(default=())


class PresentationDesk:
    """One member as verifier, under ``base_url``."""

    def __init__(self, base_url: str, signer: ProofSigner, desk: CredentialDesk, clock: Clock) -> None:
        self._base = base_url
        self._signer = signer
        self._desk = desk
        self._clock = clock
        self._by_id: Shelf[_Transaction] = Shelf(clock, 2 * OPENID_REQUEST_MS)
        self._by_state: Shelf[_Transaction] = Shelf(clock, OPENID_REQUEST_MS)
        self._by_reference: Shelf[_Transaction] = Shelf(clock, OPENID_REQUEST_MS)
        self._by_key: Shelf[_Transaction] = Shelf(clock, OPENID_REQUEST_MS)

    def ask(self, wish: Wish) -> Asked:
        """A request for one wallet, good for ten minutes and one answer.

        Raises ``FormatError`` ``openid_redirect_invalid`` and those of ``parse_query``; ``RefusedError``:
        ``openid_purpose_refused``, ``openid_query_refused``; ``UnavailableError`` ``openid_busy``.
        """
        if wish.purpose not in PURPOSES:
            raise RefusedError(
                "openid_purpose_refused",
                "The purpose is none of the registry's; there is none for sales.",
                next_step="Name one of the purposes in docs/spec/registry.md.",
            )
        if wish.redirect_uri is not None and (not _REDIRECT.match(wish.redirect_uri) or "#" in wish.redirect_uri):
            raise FormatError("openid_redirect_invalid", "redirect_uri is no https URL without a fragment.")
        query = parse_query(wish.query)
        asked_kinds(query)
        response_uri = f"{self._base}/response"
        client = f"decentralized_identifier:{self._desk.did}" if wish.signed else f"redirect_uri:{response_uri}"
        expires_s = (self._clock.now_ms() + OPENID_REQUEST_MS) // 1000
        key = ResponseKey.generate(secret()[:16]) if wish.encrypted else None
        made = _Transaction(secret(), secret(), secret(), client, response_uri, query, wish, key, expires_s)
        self._by_id.put(made.id, made)
        self._by_state.put(made.state_value, made)
        if key is not None:
            self._by_key.put(key.id, made)
        if not wish.signed:
            plain = {
                name: value if isinstance(value, str) else encode_w3c(value).decode()
                for name, value in self._parameters(made).items()
            }
            return Asked(made.id, f"openid4vp://?{urlencode(plain, quote_via=quote)}")
        reference = secret()
        self._by_reference.put(reference, made)
        named = {
            "client_id": client,
            "request_uri": f"{self._base}/requests/{reference}",
            "request_uri_method": "post",
        }
        return Asked(made.id, f"openid4vp://?{urlencode(named, quote_via=quote)}")

    def request_object(self, reference: str, wallet_nonce: str | None = None) -> str | None:
        """The signed request object (5, RFC 9101); None where there is none, or it was answered.

        Raises ``RefusedError`` ``invalid_request`` for a ``wallet_nonce`` that is no plain text.
        """
        made = self._by_reference.get(reference)
        if made is None or made.state != "open":
            return None
        if wallet_nonce is not None and not _WALLET_NONCE.match(wallet_nonce):
            raise RefusedError("invalid_request", "wallet_nonce has characters that do not stand in a URL.")
        claims = {
            **self._parameters(made),
            "iss": made.client_id,
            "aud": AUDIENCE,
            "iat": self._clock.now_ms() // 1000,
            "exp": made.expires_s,
            **({} if wallet_nonce is None else {"wallet_nonce": wallet_nonce}),
        }
        return sign_jwt(claims, self._signer, REQUEST_TYP)

    async def respond(self, form: Mapping[str, str]) -> JsonObject:
        """Take an authorisation response (8.2, 8.3.1); what the wallet is answered.

        Raises ``RefusedError`` ``openid_response_unknown`` (no such state, or too late), ``openid_response_replayed``,
        ``openid_response_invalid``, those of ``check_answer``; as ``verify_presentation``.
        """
        made, answer = self._opened(form)
        if made.state != "open":
            raise RefusedError("openid_response_replayed", "The request was answered already.")
        if "vp_token" not in answer and isinstance(answer.get("error"), str):
            made.state, made.error = "declined", answer["error"] if _ERROR.match(answer["error"]) else "other"
            return self._done(made)
        made.state = "checking"  # before anything is awaited: two answers must not both count
        try:
            made.presented = await self._checked(made, answer.get("vp_token"))
        except LianzhengError as error:
            made.failures, made.error = made.failures + 1, error.code
            made.state = "open" if made.failures < OPENID_ATTEMPTS_MAX else "dead"
            raise
        made.state, made.error = "presented", ""
        return self._done(made)

    def result(self, transaction: str, response_code: str | None = None) -> tuple[State, str, tuple[Presented, ...]]:
        """How a request stands: its state, the last refusal, what was presented.

        Raises ``NotFoundError`` ``openid_request_unknown``; ``RefusedError`` ``openid_response_code_wrong`` where the
        person came back to another place than the wallet's answer led to (14.2).
        """
        made = self._by_id.get(transaction)
        if made is None:
            raise NotFoundError("openid_request_unknown", "No such request, or its result was forgotten.")
        if made.response_code and not hmac.compare_digest(made.response_code.encode(), (response_code or "").encode()):
            raise RefusedError("openid_response_code_wrong", "The result needs the code of the wallet's redirect.")
        return made.state, made.error, made.presented

    def _parameters(self, made: _Transaction) -> JsonObject:
        return {
            "client_id": made.client_id,
            "response_type": "vp_token",
            "response_mode": "direct_post" if made.key is None else "direct_post.jwt",
            "response_uri": made.response_uri,
            "nonce": made.nonce,
            "state": made.state_value,
            "dcql_query": made.wish.query,
            "client_metadata": client_metadata(None if made.key is None else made.key.public),
            "lianzheng_purpose": made.wish.purpose,
        }

    def _opened(self, form: Mapping[str, str]) -> tuple[_Transaction, JsonObject]:
        """The transaction and the answer's parameters, decrypted where that was asked for."""
        if "response" in form:
            by_key = self._by_key.get(ResponseKey.id_of(form["response"]))
            if by_key is None or by_key.key is None:
                raise _unknown()
            answer = by_key.key.decrypt(form["response"])
            if answer.get("state") != by_key.state_value:
                raise _unknown()
            return by_key, answer
        made = self._by_state.get(form.get("state", ""))
        if made is None:
            raise _unknown()
        if made.key is not None and "error" not in form:
            raise _invalid("it was to be encrypted")
        if "vp_token" not in form or made.key is not None:
            return made, {"error": form.get("error")}
        try:
            token = parse_w3c(form["vp_token"].encode(), OPENID_BODY_BYTES_MAX)
        except (FormatError, UnicodeError) as error:
            raise _invalid("vp_token is no JSON object") from error
        return made, {"vp_token": token}

    async def _checked(self, made: _Transaction, token: Any) -> tuple[Presented, ...]:
        """Section 8.6 in its order: form, each presentation, then the query as a whole."""
        if not isinstance(token, dict) or not token:
            raise _invalid("vp_token is no JSON object with something in it")
        if not all(isinstance(one, list) and one for one in token.values()):
            raise _invalid("vp_token holds something that is no list of presentations")
        if sum(map(len, token.values())) > PRESENTED_MAX:
            raise _invalid("vp_token holds too many presentations")
        presented: list[Presented] = []
        seen: dict[str, list[Held]] = {}
        for name, values in token.items():
            wanted = made.query.get(name)
            if wanted is None:
                raise _invalid("vp_token names a credential that was not asked for")
            for value in values:
                found = await self._one(made, wanted, value)
                presented.append(found)
                seen.setdefault(name, []).append(held_of(found.verdict.document, wanted.format))
        check_answer(made.query, seen)
        return tuple(presented)

    async def _one(self, made: _Transaction, wanted: CredentialQuery, value: Any) -> Presented:
        demand = Demand(methods=_METHODS, kinds=asked_kinds(made.query), challenge=made.nonce, domain=made.client_id)
        document = unpacked_presentation(value, wanted.format)
        verdict = await self._desk.verify_presentation(document, demand)
        if len(verdict.credentials) != 1:
            raise _invalid("a presentation holds another number of credentials than one")
        inside = verdict.credentials[0]
        enveloped = any(proof.cryptosuite == "vc+jwt" for proof in inside.credential.proofs)
        if enveloped != (wanted.format == JWT_VC):
            raise FormatError("openid_format_mismatch", "A credential is not of the format that was asked for.")
        return Presented(wanted.id, verdict.holder, inside)

    def _done(self, made: _Transaction) -> JsonObject:
        if made.wish.redirect_uri is None:
            return {}
        made.response_code = secret()
        return {"redirect_uri": f"{made.wish.redirect_uri}#response_code={made.response_code}"}


def _unknown() -> RefusedError:
    return RefusedError("openid_response_unknown", "The answer belongs to no request that is open.")


def _invalid(why: str) -> RefusedError:
    return RefusedError("openid_response_invalid", f"The answer has not the form that was asked for: {why}.")

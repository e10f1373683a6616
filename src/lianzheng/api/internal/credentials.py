"""Credentials by the paths of VCALM, under the product's strict policies; status lists are public, the rest is not.

Documents of others are read by RFC 8259 with every name once (``parse_w3c``), not under the profile of CON-1: they
may hold any number and any script.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lianzheng.api.body import read_body
from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.encoding.model import member_path
from lianzheng.errors import FormatError
from lianzheng.flows.credential_keys import CredentialKind
from lianzheng.flows.credentials import IssueOptions
from lianzheng.flows.verification import Demand, Verdict
from lianzheng.identity.credentials.rendering import Language, render_credential
from lianzheng.identity.resolution.model import date_time
from lianzheng.limits import CREDENTIAL_BYTES_MAX

__all__ = ["create_router"]

_VC = "application/vc"
_BODY_BYTES_MAX = 2 * CREDENTIAL_BYTES_MAX
Document = dict[str, Any]
Text = Annotated[str, Field(min_length=1, max_length=400)]
Suite = Literal[
    "ecdsa-jcs-2019",
    "ecdsa-rdfc-2019",
    "ecdsa-sd-2023",
    "eddsa-jcs-2022",
    "eddsa-rdfc-2022",
    "lz-sm2-jcs-2026",
    "vc+jwt",
]
Texts = Annotated[list[Text], Field(max_length=64)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IssueBodyOptions(_Body):
    """How the credential is secured."""

    cryptosuite: Suite = "eddsa-jcs-2022"
    beside: Annotated[list[Suite], Field(max_length=3)] = []
    """Further cryptosuites of which the credential carries a proof each."""
    status: bool = True
    """Whether it gets entries by which it can be revoked and suspended."""
    mandatoryPointers: Texts = []  # noqa: N815 - VCALM's name
    """ecdsa-sd-2023: what the holder must always show."""


class IssueBody(_Body):
    """VCALM ``/credentials/issue``: a credential of one of the alliance's kinds, without schema, status and proof."""

    credential: Document
    options: IssueBodyOptions = IssueBodyOptions()


class VerifyOptions(_Body):
    """What is accepted beyond the product's rules, or asked for beside them."""

    challenge: Text | None = None
    domain: Text | None = None
    methods: list[Literal["key", "lz", "web"]] = ["lz"]
    """DID methods of signers."""
    issuers: Texts = []
    """Issuers that the caller trusts by itself, whatever the ledger says."""
    kinds: Texts = []
    """Only these kinds, where any are named."""
    suites: Texts = []
    """Cryptosuites of which a credential must carry a proof each."""
    anySubject: bool = False  # noqa: N815 - in the manner of VCALM
    """A presentation may hold credentials about others than its holder."""
    language: Language = "zh"


class VerifyBody(_Body):
    """VCALM ``/credentials/verify``."""

    verifiableCredential: Document  # noqa: N815 - VCALM's name
    options: VerifyOptions = VerifyOptions()


class VerifyPresentationBody(_Body):
    """VCALM ``/presentations/verify``; ``options.challenge`` is required."""

    verifiablePresentation: Document  # noqa: N815 - VCALM's name
    options: VerifyOptions = VerifyOptions()


class DeriveOptions(_Body):
    """What the holder shows."""

    selectivePointers: Texts = []  # noqa: N815 - VCALM's name


class DeriveBody(_Body):
    """VCALM ``/credentials/derive``."""

    verifiableCredential: Document  # noqa: N815 - VCALM's name
    options: DeriveOptions = DeriveOptions()


class StatusBodyEntry(_Body):
    """Which of the credential's entries is meant; the rest of an entry may stand here and is not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)
    statusPurpose: Literal["revocation", "suspension"]  # noqa: N815 - the specification's name


class StatusBody(_Body):
    """VCALM ``/credentials/status``."""

    credentialId: Text  # noqa: N815 - VCALM's name
    credentialStatus: StatusBodyEntry  # noqa: N815 - VCALM's name
    status: bool = True


class PresentOptions(_Body):
    """The verifier's question."""

    challenge: Text
    domain: Text | None = None


class PresentBody(_Body):
    """VCALM ``/presentations``: this member presents what it holds."""

    presentation: Document
    options: PresentOptions


class TrustAnswer(BaseModel):
    """By which rule the issuer is believed (docs/spec/credentials.md, "Whom a verifier believes")."""

    rule: str
    issuer: str


class RowAnswer(BaseModel):
    """One line for people."""

    name: str
    title: str
    value: str


class KeyAnswer(BaseModel):
    """Which key signed: of which version of its DID, and until when it stood, if it does not any more."""

    version: int | None
    until: str | None


class VerdictAnswer(BaseModel):
    """A credential that holds. One that does not is answered by a problem with its reason code."""

    verified: Literal[True]
    kind: str | None
    trust: TrustAnswer
    keys: list[KeyAnswer]
    notes: list[str]
    title: str
    rows: list[RowAnswer]


class PresentationAnswer(BaseModel):
    """A presentation that holds."""

    verified: Literal[True]
    holder: str
    credentials: list[VerdictAnswer]


class CredentialAnswer(BaseModel):
    """A secured credential."""

    verifiableCredential: Document  # noqa: N815 - VCALM's name


class IssueAnswer(CredentialAnswer):
    """The credential, and the id by which its status is set, which an envelope does not show."""

    credentialId: str  # noqa: N815 - in the manner of VCALM


class PresentedAnswer(BaseModel):
    """A secured presentation."""

    verifiablePresentation: Document  # noqa: N815 - VCALM's name


class KeyBody(_Body):
    """Which key is to be made: P-256 for selective disclosure, P-256 for the other suites, or SM2."""

    kind: CredentialKind = "selective"


class KeyMadeAnswer(BaseModel):
    """A key that now stands in this member's DID."""

    verificationMethod: str  # noqa: N815 - the specification's name


class StatusAnswer(BaseModel):
    """The version of the list on the ledger that says so."""

    credentialId: str  # noqa: N815 - VCALM's name
    version: int


def create_router(services: NodeServices) -> APIRouter:
    """Routes under ``/api/v1/credentials`` and ``/api/v1/presentations``."""
    router, operator = APIRouter(), operator_router(services, "credentials")

    @router.get("/api/v1/credentials/status-lists/{name}", tags=["credentials"], response_class=Response)
    async def status_list(name: str) -> Response:
        """A status list credential of this member, the very bytes whose digest stands on the ledger."""
        return Response(await services.credentials.status_list(name), media_type=_VC)

    @operator.post("/credentials/issue", status_code=201, response_model=IssueAnswer, openapi_extra=_in(IssueBody))
    async def issue(request: Request) -> Any:
        """Complete, secure and note a credential of one of the alliance's kinds, in this member's name."""
        body = await _read(request, IssueBody)
        asked, always = body.options, tuple(body.options.mandatoryPointers)
        options = IssueOptions(asked.cryptosuite, asked.status, always, tuple(asked.beside))
        credential = {"id": f"urn:uuid:{uuid.uuid4()}", **body.credential}
        issued = await services.credentials.issue(credential, options)
        return {"verifiableCredential": issued, "credentialId": credential["id"]}

    @operator.post("/credentials/verify", response_model=VerdictAnswer, openapi_extra=_in(VerifyBody))
    async def verify(request: Request) -> Any:
        """Form, proofs, kind, trust and status of a credential, now."""
        body = await _read(request, VerifyBody)
        verdict = await services.credentials.verify_credential(body.verifiableCredential, _demand(body.options))
        return _verdict(verdict, body.options.language)

    @operator.post(
        "/credentials/derive", status_code=201, response_model=CredentialAnswer, openapi_extra=_in(DeriveBody)
    )
    async def derive(request: Request) -> Any:
        """A copy of a credential with a base proof of ecdsa-sd-2023 that shows what is chosen."""
        body = await _read(request, DeriveBody)
        return {
            "verifiableCredential": await services.credentials.derive(
                body.verifiableCredential, body.options.selectivePointers
            )
        }

    @operator.post("/credentials/status", response_model=StatusAnswer, openapi_extra=_in(StatusBody))
    async def status(request: Request) -> Any:
        """Revoke, suspend or take up again a credential of this member; answers once the ledger names the new list."""
        body = await _read(request, StatusBody)
        version = await services.credentials.set_status(
            body.credentialId, body.credentialStatus.statusPurpose, body.status
        )
        return {"credentialId": body.credentialId, "version": version}

    @operator.post("/credentials/keys", response_model=KeyMadeAnswer, openapi_extra=_in(KeyBody, required=False))
    async def rotate_key(request: Request) -> Any:
        """Publish a key for credentials in this member's DID, in place of the last of its kind.

        Without a body one for selective disclosure (ecdsa-sd-2023).
        """
        body = await _read(request, KeyBody, empty=KeyBody())
        return {"verificationMethod": await services.credentials.rotate_key(body.kind)}

    _add_presentations(operator, services)
    router.include_router(operator)
    return router


def _add_presentations(operator: APIRouter, services: NodeServices) -> None:
    @operator.post("/presentations", status_code=201, response_model=PresentedAnswer, openapi_extra=_in(PresentBody))
    async def present(request: Request) -> Any:
        """Present credentials as this member, for a verifier's challenge and domain."""
        body = await _read(request, PresentBody)
        made = await services.credentials.present(body.presentation, body.options.challenge, body.options.domain)
        return {"verifiablePresentation": made}

    @operator.post(
        "/presentations/verify", response_model=PresentationAnswer, openapi_extra=_in(VerifyPresentationBody)
    )
    async def verify_presented(request: Request) -> Any:
        """A holder's presentation and every credential in it, now."""
        body = await _read(request, VerifyPresentationBody)
        verdict = await services.credentials.verify_presentation(body.verifiablePresentation, _demand(body.options))
        found = [_verdict(one, body.options.language) for one in verdict.credentials]
        return {"verified": True, "holder": verdict.holder, "credentials": found}


_Form = TypeVar("_Form", bound=BaseModel)


async def _read(request: Request, form: type[_Form], empty: _Form | None = None) -> _Form:
    """The body in ``form``, ``empty`` for none; raises ``FormatError`` of ``parse_w3c`` and ``field_invalid``."""
    data = await read_body(request, _BODY_BYTES_MAX)
    if empty is not None and not data:
        return empty
    value = parse_w3c(data, _BODY_BYTES_MAX)
    try:
        return form.model_validate(value)
    except ValidationError as error:
        path = member_path(error.errors()[0]["loc"])
        raise FormatError("field_invalid", f"Member {path} is missing, unknown or malformed.") from None


def _in(form: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """OpenAPI of a body that is read by :func:`_read`."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": _schema(form)}}}}


def _schema(form: type[BaseModel]) -> dict[str, Any]:
    """The schema in one piece: what it refers to is put in place, so that no name of it can clash."""
    schema = form.model_json_schema()
    parts = schema.pop("$defs", {})

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return placed(parts[value["$ref"].rpartition("/")[2]])
            return {name: placed(item) for name, item in value.items()}
        return [placed(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = placed(schema)
    return found


def _demand(options: VerifyOptions) -> Demand:
    return Demand(
        methods=frozenset(options.methods),
        issuers=frozenset(options.issuers),
        kinds=frozenset(options.kinds),
        suites=frozenset(options.suites),
        challenge=options.challenge,
        domain=options.domain,
        any_subject=options.anySubject,
    )


def _verdict(verdict: Verdict, language: Language) -> dict[str, Any]:
    shown = render_credential(verdict.document, language)
    return {
        "verified": True,
        "kind": None if verdict.kind is None else verdict.kind.name,
        "trust": {"rule": verdict.trust.rule, "issuer": verdict.trust.issuer},
        "keys": [
            {"version": use.version, "until": None if use.until_ms is None else date_time(use.until_ms)}
            for use in verdict.keys
        ],
        "notes": list(verdict.notes),
        "title": shown.title,
        "rows": [{"name": row.name, "title": row.title, "value": row.value} for row in shown.rows],
    }

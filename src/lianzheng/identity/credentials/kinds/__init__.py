"""The closed list of credential kinds: for each a JSON Schema (2020-12) in this package, pinned by its SHA-256.

Who issues and who verifies hold the same file, so a schema is named (``credentialSchema``) and never fetched. A kind
has exactly two types: ``VerifiableCredential`` and its own.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.datamodel import listed, types_of
from lianzheng.identity.credentials.verifiable import CONTEXT

__all__ = ["KINDS", "Kind", "check_kind", "kind_of", "require_kind", "schema_bytes", "schema_entry"]


@dataclass(frozen=True)
class Kind:
    """One kind: its type, the digest of its schema, and who issues it by right of what it is."""

    name: str
    sha256: str
    title_zh: str
    title_en: str
    by_members: bool = False
    """An active member may issue it without an entry in the registry of issuers: about its own customers."""
    by_party: bool = False
    """Whoever is bound by it issues it: the principal of a delegation."""

    @property
    def schema_id(self) -> str:
        """The schema's name, version included: another schema gets another number."""
        return f"urn:lianzheng:schema:{self.name}:1"


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "KycCredential",
            "f8332301a1a5907b24eac2455e98ef9ab4f69362c1563d061363f00c879c1ce1",
            "身份核验凭证",
            "Identity check",
            by_members=True,
        ),
        Kind(
            "SuitabilityLevelCredential",
            "69b388e21e2114dafd15603743e79babee590d08618ba4f85e76a50e45493ac8",
            "风险承受能力等级凭证",
            "Risk tolerance level",
            by_members=True,
        ),
        Kind(
            "ProfessionalInvestorCredential",
            "edb7c13eb58cecff807637f33ebb71e29f9232ffae8ffd8879c331977eb7887b",
            "专业投资者凭证",
            "Professional investor",
            by_members=True,
        ),
        Kind(
            "AssetStatementCredential",
            "47b31d6ff89a3f9a452d5900cadf7345dca1da58979471d69904320ffb11b6f9",
            "资产区间凭证",
            "Band of assets",
            by_members=True,
        ),
        Kind(
            "SuitabilityConsentCredential",
            "01841e1b77c089ba900e892c69eda9559f78a495ba323a19d2ceeafd6932d5c2",
            "授权同意凭证",
            "Consent held",
            by_members=True,
        ),
        Kind(
            "MembershipCredential",
            "3713f599c5a31e02d3f615a2f6a9b7fe076b1ce1c2e63352ab475537faee75ad",
            "联盟成员凭证",
            "Membership of the alliance",
        ),
        Kind(
            "DelegationCredential",
            "3d062b5248b36cbd85c30867479ab712438cc5f2438d1808557a3fe164f7438b",
            "代理授权凭证",
            "Delegated authority",
            by_party=True,
        ),
    )
}


def kind_of(document: JsonObject) -> Kind | None:
    """The kind that ``document`` says it is of; None where it is of none of ours.

    Raises ``VerificationError`` ``credential_kind_ambiguous`` where it says two.
    """
    found = [KINDS[name] for name in types_of(document) if name in KINDS]
    if len(found) > 1:
        raise VerificationError("credential_kind_ambiguous", "The credential says that it is of two kinds.")
    return found[0] if found else None


def schema_bytes(kind: Kind) -> bytes:
    """The schema's file. Raises ``VerificationError`` ``credential_schema_altered`` for an altered copy."""
    data = resources.files(__package__).joinpath(f"{kind.name}.json").read_bytes()
    if sha256_raw(data).hex() != kind.sha256:
        raise VerificationError("credential_schema_altered", f"The stored schema {kind.name}.json was altered.")
    return data


def schema_entry(kind: Kind) -> JsonObject:
    """``credentialSchema`` of a credential of ``kind``, with the digest of the file."""
    digest = base64.b64encode(bytes.fromhex(kind.sha256)).decode()
    return {"id": kind.schema_id, "type": "JsonSchema", "digestSRI": f"sha256-{digest}"}


def check_kind(document: JsonObject, kind: Kind, *, disclosed: bool = False) -> None:
    """``document`` has the shape of ``kind``, and the schema that it names is the one held here.

    ``disclosed``: the holder chose what to show, so claims about the subject may be missing, and no more than that.
    Raises ``VerificationError`` ``credential_context_refused`` (claims are read by name here, so the names must mean
    what ours do), ``credential_schema_mismatch``, ``credential_schema_invalid`` (with the place).
    """
    if document.get("@context") != list(CONTEXT):
        raise VerificationError(
            "credential_context_refused", "A credential of this kind has our context, and no other beside it."
        )
    for entry in listed(document.get("credentialSchema", [])):
        if not isinstance(entry, dict) or entry != schema_entry(kind):
            raise VerificationError(
                "credential_schema_mismatch", "The credential names another schema than the one of its kind."
            )
    # The first one ends it: each schema says how many before it asks whether they differ.
    error = next(_validator(kind.name, disclosed).iter_errors(document), None)
    if error is not None:
        raise VerificationError(
            "credential_schema_invalid",
            f"The credential does not have the shape of its kind at {_place(error) or 'its top'}.",
            detail=str(error.validator),
        )


@lru_cache(maxsize=2 * len(KINDS))
def _validator(name: str, disclosed: bool) -> Any:
    # A tenth of a second, for those alone who verify credentials.
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    schema: dict[str, Any] = parse_w3c(schema_bytes(KINDS[name]))
    if disclosed:
        schema["properties"]["credentialSubject"]["required"] = []
    return Draft202012Validator(schema)


def _place(error: Any) -> str:
    """Names of members alone, never values: of what stands beside the schema's members, none."""
    return "/".join(str(part) for part in error.absolute_path)[:100]


def require_kind(document: JsonObject) -> Kind:
    """As :func:`kind_of`; raises ``FormatError`` ``credential_kind_unknown`` where there is none."""
    kind = kind_of(document)
    if kind is None:
        raise FormatError(
            "credential_kind_unknown",
            "The credential is of none of the alliance's kinds.",
            next_step="Name one of those in docs/spec/credentials.md beside VerifiableCredential.",
        )
    return kind

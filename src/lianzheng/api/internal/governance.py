"""The operator's acts as a member: agreement, credential key of the period."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.flows.acts import network_case
from lianzheng.governance.model import AgreementSign, MemberUpdate
from lianzheng.governance.parameters.model import ParameterChange, parameter_hash, parameter_record
from lianzheng.governance.rules import RULES
from lianzheng.identity.model import issuer_state_key
from lianzheng.ledger.receipt import encode_receipt

__all__ = ["create_router"]

_APART = ("agreement.sign", "member.update")
"""Kinds with routes of their own: they leave evidence, or change a part of what stands."""
_KINDS = {rule.kind: rule for rule in RULES if rule.kind not in _APART}


class UpdateBody(BaseModel):
    """What to change. ``certificate`` is DER in base64url; endpoint null stands for "no node"."""

    model_config = ConfigDict(extra="forbid")
    endpoint: str | None = None
    certificate: str = ""
    licences: list[str] = []
    pilot_licences: list[str] = []


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "governance")

    @router.post("/agreement/signature")
    async def sign_agreement() -> dict[str, Any]:
        """Sign the alliance agreement whose digest stands in genesis."""
        payload = AgreementSign(agreement=services.genesis.agreement)
        act = (network_case(services.genesis.chain_id), "agreement-signing", "operator", "agreement.json", payload)
        try:
            receipt = await services.sender.send("agreement.sign", payload)
        except RefusedError as error:
            if error.code == "agreement_already_signed":  # perhaps by a try that a crash cut off before the record
                await services.acts.complete(*act)
            raise
        await services.acts.record_message(*act)
        return encode_receipt(receipt)

    @router.post("/issuer/keys")
    async def publish_key() -> dict[str, Any]:
        """Publish this member's credential key of the present period with its proof of possession (ID-7, EQ-1)."""
        period = services.issuer.period()
        if services.engine.state.get(issuer_state_key(services.did, period)) is None:
            await services.sender.send("issuer.publish", services.issuer.issuer_key_payload(period))
        return {"issuer": services.did, "period": period}

    @router.post("/node/key")
    async def rotate_key() -> dict[str, Any]:
        """Give this member's DID a new `#node` key; the node signs with it from the block that holds the change (ID-3).

        Back up the key store afterwards: an older copy lacks the new key.
        """
        return {"did": services.did, "version": await services.node_keys.rotate(services.sender)}

    @router.post("/member")
    async def update(body: UpdateBody) -> dict[str, Any]:
        """Change this member's own record (``member.update``); what is left out stays as it is.

        Configure the node for a new certificate or endpoint before: the others use what the ledger says.
        """
        present = services.directory.get(services.did)
        if present is None:
            raise NotFoundError("member_unknown", "The ledger has no record of this member.")
        names = MemberUpdate.model_fields
        fields = {name: value for name, value in present.to_json().items() if name in names}
        payload = MemberUpdate.from_json(fields | body.model_dump(exclude_unset=True))
        return encode_receipt(await services.sender.send("member.update", payload))

    @router.post("/governance/{kind}")
    async def act(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send one kind of governance in this member's name; the ledger's answer, with the motion's id if it is one.

        The payload is that of `docs/spec/governance.md`. For parameters `prev` may be left out: it is read here.
        """
        rule = _KINDS.get(kind)
        if rule is None:
            raise NotFoundError("kind_unknown", "Governance has no such kind of transaction.")
        if rule.payload is ParameterChange and "prev" not in payload:
            name = str(payload.get("name"))
            record = parameter_record(services.engine.state, name)
            payload = {**payload, "prev": b64u_encode(parameter_hash(name, record))}
        receipt = await services.sender.send(kind, rule.payload.from_json(payload), ordered=rule.ordered)
        return encode_receipt(receipt)

    return router

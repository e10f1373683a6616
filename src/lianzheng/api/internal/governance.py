"""The operator's acts as a member: agreement, credential key of the period."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.errors import RefusedError
from lianzheng.flows.acts import network_case
from lianzheng.governance.model import AgreementSign
from lianzheng.identity.model import issuer_state_key
from lianzheng.ledger.receipt import encode_receipt

__all__ = ["create_router"]


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

    return router

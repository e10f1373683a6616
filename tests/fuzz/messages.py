"""Seeds of the messages that nodes, members and operators read: one of each, made from the kits with fixed keys."""

from __future__ import annotations

from collections.abc import Callable

from governance_kit import application, genesis
from ledger_kit import ALPHA, BETA, CHAIN, START_MS, agreement_payload, anchor_payload
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.adapters.sources.mapping import decode_mapping
from lianzheng.compute.gate.access import AccessAnswer, AccessChallenge, AccessQuery, AccessUse
from lianzheng.compute.gate.model import (
    Evaluation,
    GateAnswer,
    GateAnswered,
    GateBatch,
    GateBatchAnswer,
    GateCall,
    GateRequest,
    ViewEpoch,
)
from lianzheng.consent.model import ConsentGrant, ConsentRevoke, Grant
from lianzheng.contracts.machine import Machine
from lianzheng.crypto.digest import sha256
from lianzheng.encoding.model import Record
from lianzheng.evidence.model import AnchorPayload
from lianzheng.governance.admission.model import MemberApply
from lianzheng.ledger.block import Block, BlockResult, Head, SignedHead
from lianzheng.ledger.delta import Delta
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.statement import HeadStatement, Statement
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import GENESIS_BYTES_MAX
from lianzheng.wallet.backup import WalletBackup
from lianzheng.wallet.model import HeldKey, Reserve, WalletState
from lianzheng.wallet.shares import ShareFile
from lianzheng.wallet.slip39 import Share, encode_share
from simulation.world import save

__all__ = ["again_of", "message_seeds", "robust"]

_MAPPING = ("[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS)).encode()


def message_seeds() -> dict[str, tuple[type[Record], bytes]]:
    """Name to type and a valid message."""
    wire = ALPHA.transaction("evidence.anchor", anchor_payload(None), 1)
    signature, digest = bytes(range(64)), bytes(range(32))
    machine = Machine(genesis(schema=2))
    machine.execute_block(1, START_MS + 1, [wire.to_bytes()])
    machine.commit()
    head = Head(
        chain_id=CHAIN,
        height=1,
        time_ms=START_MS,
        previous=digest,
        txs_root=digest,
        results_root=digest,
        app_hash=digest,
        next_signer=ALPHA.operation.keys[0].multikey,
    )
    signed = SignedHead(head=head, signature=signature)
    statement = Statement(chain_id=CHAIN, nonce=digest, height=1, head_hash=digest)
    request = GateRequest(
        chain_id=CHAIN,
        requester=ALPHA.did,
        key_id="#node",
        provider=BETA.did,
        task=digest,
        cid=digest,
        views=(ViewEpoch(view="wealth/wealth/bands", epoch=1),),
        nonce=digest,
        time_ms=START_MS,
        signature=signature,
    )
    call = GateCall(request=request, token=b"a token")
    answer = GateAnswer(
        chain_id=CHAIN,
        provider=BETA.did,
        key_id="#node",
        request=digest,
        task=digest,
        cid=digest,
        evaluations=(Evaluation(view="wealth/wealth/bands", epoch=1, w=bytes(48), proof=signature),),
        task_salt=digest,
        time_ms=START_MS,
        signature=signature,
    )
    grant = Grant(rk=digest, not_after="2026-12-31", h=digest, pop=signature)
    result = BlockResult(code="ok", data={"log_index": 0})
    records: dict[str, Record] = {
        "transaction": wire,
        "genesis": genesis(),
        "signed-head": signed,
        "block": Block(head=signed, transactions=(wire.to_bytes(),), results=(result,)),
        "head-statement": HeadStatement(statement=statement, signer=ALPHA.did, signature=signature, head=signed),
        "anchor": AnchorPayload.from_json(anchor_payload(None)),
        "grants": ConsentGrant(grants=(grant,) * 32),
        "revoke": ConsentRevoke(cid=digest),
        "creation": ALPHA.operation,
        "application": MemberApply.from_json(application()),
        "gate-call": call,
        "gate-batch": GateBatch(calls=(call.to_bytes(),)),
        "gate-answer": answer,
        "gate-batch-answer": GateBatchAnswer(answers=(GateAnswered(answer=answer.to_bytes()),)),
        **_accesses(digest, signature, request),
        "wallet-copy": _copy(digest),
        "snapshot-manifest": save(machine)[0],
        "state-path": machine.state_path("network")[1],
    }
    return {name: (type(record), record.to_bytes()) for name, record in records.items()}


def _accesses(digest: bytes, signature: bytes, request: GateRequest) -> dict[str, Record]:
    """What a wallet asks a member for the uses of a consent, and is answered."""
    use = AccessUse(request=request, answered_ms=START_MS, bands={"I01": 3})
    return {
        "access-challenge": AccessChallenge(chain_id=CHAIN, member=BETA.did, nonce=bytes(56)),
        "access-query": AccessQuery(
            chain_id=CHAIN,
            member=BETA.did,
            rk=digest,
            not_after="2026-12-31",
            h=digest,
            skip=0,
            nonce=bytes(56),
            signature=signature,
        ),
        "access-answer": AccessAnswer(
            chain_id=CHAIN,
            member=BETA.did,
            key_id="#node",
            query=digest,
            cid=digest,
            more=False,
            time_ms=START_MS,
            uses=(use,),
            signature=signature,
        ),
    }


def _copy(secret: bytes) -> WalletBackup:
    """What a backup of a wallet holds under its seal."""
    key = HeldKey(id="#key-1", secret=secret)
    state = WalletState(chain_id=CHAIN, seed=secret, operation=ALPHA.operation, key=key)
    return WalletBackup(created_ms=START_MS, state=state, reserve=Reserve(chain_id=CHAIN, secret=secret))


def _share_file() -> bytes:
    """A recovery share's file."""
    words = Share(1, True, 0, 0, 1, 1, 0, 2, bytes(range(32)))
    sealed = bytes(range(200))
    made = ShareFile(ALPHA.did, sha256("wallet-share-set", sealed)[:16], 1, encode_share(words), sealed)
    return made.to_text().encode()


def again_of(kind: type[Record]) -> Callable[[bytes], bytes]:
    """Decodes and encodes a message of this type."""
    limits = {Genesis: GENESIS_BYTES_MAX}
    if kind is Transaction:
        return lambda data: Transaction.parse(data).to_bytes()
    if kind is Block:
        return lambda data: Block.parse(data).to_bytes()
    if kind in limits:
        return lambda data: kind.from_bytes(data, limits[kind]).to_bytes()
    return lambda data: kind.from_bytes(data).to_bytes()


def robust() -> dict[str, tuple[Callable[[bytes], bytes], bytes]]:
    """Readers of what people write, which has many spellings, and of files of our own: a typed error or an answer."""
    machine = Machine(genesis())
    machine.execute_block(1, START_MS + 1, [ALPHA.transaction("agreement.sign", agreement_payload(), 1).to_bytes()])

    def ignoring(read: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
        def again(data: bytes) -> bytes:
            read(data)
            return data

        return again

    return {
        "source-mapping": (ignoring(decode_mapping), _MAPPING),
        "share-file": (ignoring(lambda data: ShareFile.parse(data.decode("utf-8", "replace"))), _share_file()),
        "delta": (ignoring(Delta.from_bytes), machine.delta().to_bytes()),
    }

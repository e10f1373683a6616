"""Routes between members. The transport has refused unknown certificates before any of them is reached (F67)."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Request, Response

from lianzheng.api.body import read_body
from lianzheng.api.problem import ProblemApp
from lianzheng.api.services import NodeServices, Orderer
from lianzheng.compute.gate.model import GateBatch, batch_answer
from lianzheng.compute.gate.requester import GATE_BATCH_PATH, GATE_PATH
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError, NotFoundError, RefusedError
from lianzheng.flows.checkpoints import CheckpointDesk
from lianzheng.ids import view_id
from lianzheng.ledger.receipt import encode_receipt
from lianzheng.limits import (
    BLOCKS_ANSWER_MAX,
    GATE_BATCH_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    NOTE_BYTES_MAX,
    PIR_VECTOR_BYTES_MAX,
    TRANSACTION_BYTES_MAX,
)

__all__ = ["PEER_SCOPE_KEY", "create_peer_app", "create_witness_peer_app"]

PEER_SCOPE_KEY = "lianzheng.peer"
"""Where the transport leaves the DID of the member whose certificate the connection carries."""

CHECKPOINTS_PATH = "/peer/v1/ledger/checkpoints"
_FOR_WITNESSES = ("/peer/v1/ledger/blocks", "/peer/v1/ledger/head-statements/", CHECKPOINTS_PATH)
_JSON = "application/json"
_BYTES = "application/octet-stream"


def create_peer_app(services: NodeServices) -> FastAPI:
    """The application that the mutual-TLS listener serves."""
    app = ProblemApp(
        title="Lianzheng peer API", version="1", docs_url=None, redoc_url=None, dependencies=[Depends(_admit)]
    )

    @app.post(GATE_PATH)
    async def evaluate(request: Request) -> Response:
        """One gated evaluation; body and answer are canonical ``GateCall`` and ``GateAnswer``."""
        raw = await read_body(request, MESSAGE_BYTES_MAX)
        return Response(await services.gate.answer(_peer(request), raw), media_type=_JSON)

    @app.post(GATE_BATCH_PATH)
    async def evaluate_batch(request: Request) -> Response:
        """Up to 256 gated evaluations; body and answer are canonical ``GateBatch`` and ``GateBatchAnswer``."""
        batch = GateBatch.from_bytes(await read_body(request, GATE_BATCH_BYTES_MAX), GATE_BATCH_BYTES_MAX)
        outcomes = await services.gate.answer_many(_peer(request), batch.calls)
        return Response(batch_answer(outcomes).to_bytes(), media_type=_JSON)

    _view_routes(app, services)
    _status_routes(app, services)

    @app.post("/peer/v1/ledger/transactions")
    async def submit(request: Request) -> Response:
        """Order a transaction; answers once its block is durable."""
        receipt = await _orderer(services).submit_bytes(await read_body(request, TRANSACTION_BYTES_MAX))
        return Response(encode(encode_receipt(receipt)), media_type=_JSON)

    @app.get("/peer/v1/ledger/blocks")
    async def blocks(request: Request) -> Response:
        """Signed blocks from height ``from`` on, at most ``limit``."""
        first, limit = _number(request, "from", 1), min(_number(request, "limit", BLOCKS_ANSWER_MAX), BLOCKS_ANSWER_MAX)
        found = await _orderer(services).blocks(first, limit)
        return Response(encode({"blocks": [b64u_encode(block) for block in found]}), media_type=_JSON)

    @app.get("/peer/v1/ledger/snapshots/latest")
    async def snapshot() -> Response:
        """What the newest snapshot is of: manifest, signed head, changes of signers (LED-8)."""
        found = await _orderer(services).snapshot_description()
        if found is None:
            raise NotFoundError("snapshot_unknown", "No snapshot was made yet.", next_step="Begin with block 1.")
        return Response(found, media_type=_JSON)

    @app.get("/peer/v1/ledger/snapshots/{height}/{index}")
    async def snapshot_chunk(height: int, index: int) -> Response:
        """One chunk of it, at most 8 MiB."""
        return Response(await _orderer(services).snapshot_chunk(height, index), media_type=_BYTES)

    @app.get("/peer/v1/ledger/head-statements/{nonce}")
    async def head_statement(nonce: str) -> Response:
        """This member's signed answer to a 32-byte nonce (GATE-4)."""
        statement = await services.witness.head_statement(b64u_decode(nonce, 32))
        return Response(statement.to_bytes(), media_type=_JSON)

    @app.post(CHECKPOINTS_PATH)
    async def checkpoint(request: Request) -> Response:
        """This node's signature line on a checkpoint note, if it has replayed the same (EV-6, B33)."""
        lines = await services.checkpoints.answer(await read_body(request, NOTE_BYTES_MAX))
        return Response(lines, media_type="text/plain; charset=utf-8")

    @app.post("/peer/v1/consents/revocations")
    async def revocation(request: Request) -> Response:
        """A revocation signed by its consent key, passed on by another member (AUTH-4)."""
        await services.revocations.accept(await read_body(request, TRANSACTION_BYTES_MAX))
        return Response(b"{}", media_type=_JSON)

    return app


def create_witness_peer_app(checkpoints: CheckpointDesk) -> FastAPI:
    """What a witness's node serves to the members: its signature, and nothing else."""
    app = ProblemApp(title="Lianzheng witness peer API", version="1", docs_url=None, redoc_url=None)

    @app.post(CHECKPOINTS_PATH)
    async def checkpoint(request: Request) -> Response:
        """This witness's signature line on a checkpoint note, if it has replayed the same (EV-6, B33)."""
        lines = await checkpoints.answer(await read_body(request, NOTE_BYTES_MAX))
        return Response(lines, media_type="text/plain; charset=utf-8")

    return app


def _status_routes(app: FastAPI, services: NodeServices) -> None:
    """What verifiers among the members read of an issuer, whatever its phase and theirs."""

    @app.get("/peer/v1/status-lists/{name}")
    async def status_list(name: str) -> Response:
        """A status list credential of this member, the very bytes whose digest stands on the ledger."""
        return Response(await services.credentials.status_list(name), media_type="application/vc")


def _view_routes(app: FastAPI, services: NodeServices) -> None:
    """What a requester reads of a provider's epochs."""

    @app.get("/peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/table")
    async def table(dataset: str, bundle: str, form: str, epoch: int, request: Request) -> Response:
        """The ciphertext table of a published epoch: the same bytes for every member."""
        _require_active(services, request)
        data = await services.views.table(view_id(dataset, bundle, form), epoch)
        return Response(data, media_type=_BYTES)

    @app.get("/peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/boundaries")
    async def boundaries(dataset: str, bundle: str, form: str, epoch: int, request: Request) -> Response:
        """The boundaries of a table that is asked in private: the same bytes for every member."""
        _require_active(services, request)
        data = await services.views.served.boundaries(view_id(dataset, bundle, form), epoch)
        return Response(data, media_type=_BYTES)

    @app.get("/peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/hint")
    async def hint(dataset: str, bundle: str, form: str, epoch: int, request: Request) -> Response:
        """The hint of a table that is asked in private: the same bytes for every member."""
        _require_active(services, request)
        data = await services.views.served.hint(view_id(dataset, bundle, form), epoch)
        return Response(data, media_type=_BYTES)

    @app.post("/peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/answers")
    async def answers(dataset: str, bundle: str, form: str, epoch: int, request: Request) -> Response:
        """One private lookup: a word a column in, two bytes for each byte of a column out (PIR-2)."""
        _require_active(services, request)
        vector = await read_body(request, PIR_VECTOR_BYTES_MAX)
        data = await services.views.served.answer(view_id(dataset, bundle, form), epoch, vector)
        return Response(data, media_type=_BYTES)


def _admit(request: Request) -> None:
    """A witness node follows the chain and exchanges checkpoints; nothing else here is for it."""
    # By the path that routes are found by: the URL is put together with a header that the peer writes.
    if not _peer(request).startswith("did:") and not str(request.scope["path"]).startswith(_FOR_WITNESSES):
        raise RefusedError("peer_is_witness", "A witness follows the ledger; this route is for members.")


def _peer(request: Request) -> str:
    return str(request.scope["state"][PEER_SCOPE_KEY])


def _require_active(services: NodeServices, request: Request) -> None:
    """A member that is suspended or leaving may talk to the ledger, and has no part in computing."""
    member = services.directory.get(_peer(request))
    if member is None or member.phase != "active":
        raise RefusedError("peer_not_active", "The asking member is not active in this network.")


def _orderer(services: NodeServices) -> Orderer:
    if services.orderer is None:
        raise RefusedError("not_sequencer", "This node does not order transactions; ask the sequencing member's node.")
    return services.orderer


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise FormatError("query_invalid", f"The query parameter {name} must be a number.")
    return int(text)

"""Credentials and DIDs: signing, verifying, deriving, resolving, status; beside openvc-core in the same run.

The same small credential for both, keys of did:key. Verifying is strict: data model, times, proof, controller; under
JCS once as openvc does it, which reads no contexts, and once with every word looked up in them. openvc does what its
own suites do. Resolving a did:lz reads the ledger's state and makes its proof, in process; resolving a did:key expands
the key. Processor time of one core, medians over the repeats. Prints JSON.

    python benchmarks/identity.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from openvc import keys as oracle_keys
from openvc.did.did_key import DidKeyResolver
from openvc.proof.data_integrity import DataIntegrityProofSuite
from openvc.proof.di_jcs import EddsaJcsProofSuite
from openvc.proof.ecdsa_sd import EcdsaSdProofSuite

from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2, load_context
from lianzheng.identity.credentials.keys import ProofSigner, did_key, did_key_signer
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.resolution.did_key import KeyDriver
from lianzheng.identity.resolution.did_lz import LedgerDriver
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.identity.status.bitstring import new_list
from lianzheng.identity.status.lists import StatusEntry, build_entry, build_list, check_status

LEDGER = import_module("ledger")
NOW_MS = 1_790_000_000_000
CREATED = "2026-09-21T14:00:00Z"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
LIST = "https://issuer.example/status/1"
POINTERS = ("/credentialSubject/alumniOf",)
SECRET = bytes(31) + b"\1"
TARGET_JCS_VERIFY = 3_000


def document(by: ProofSigner) -> dict[str, Any]:
    """The unsigned credential."""
    return {
        "@context": [CREDENTIALS_V2, EXAMPLES],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "issuer": by.verification_method.partition("#")[0],
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
    }


def per_second(action: Callable[[], object], repeats: int) -> float:
    """How often a second of one core does ``action``."""
    action()
    rates = []
    for _ in range(repeats):
        count, began = 0, time.process_time()
        while time.process_time() - began < 0.3:
            action()
            count += 1
        rates.append(count / (time.process_time() - began))
    return statistics.median(rates)


def credentials(repeats: int) -> dict[str, float]:
    """Ours and openvc's, by the same documents."""
    by, extra = did_key_signer(ED25519_PUB, SECRET), {EXAMPLES: load_context(EXAMPLES)}
    other = did_key_signer(P256_PUB, SECRET)
    policy = CredentialPolicy(now_ms=NOW_MS, resolve_key=did_key)
    plain = CredentialPolicy(now_ms=NOW_MS, resolve_key=did_key, linked=False)
    now, resolver = datetime.fromtimestamp(NOW_MS / 1000, UTC), DidKeyResolver()
    jcs = create_proof(document(by), by, ProofOptions("eddsa-jcs-2022", created=CREATED))
    rdf = create_proof(document(by), by, ProofOptions("eddsa-rdfc-2022", created=CREATED))
    options = ProofOptions("ecdsa-sd-2023", created=CREATED, mandatory_pointers=("/issuer",))
    base = create_proof(document(other), other, options)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(ed25519.public_key(SECRET)), "d": b64u_encode(SECRET)}
    key = oracle_keys.Ed25519SigningKey.from_jwk(jwk, "k")
    peer_jcs, peer_rdf, peer_sd = EddsaJcsProofSuite(), DataIntegrityProofSuite(), EcdsaSdProofSuite()
    signing: dict[str, Any] = {"signing_key": key, "verification_method": by.verification_method, "created": now}
    actions: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "jcs_sign": (
            lambda: create_proof(document(by), by, ProofOptions("eddsa-jcs-2022", created=CREATED)),
            lambda: peer_jcs.add_proof(document(by), **signing),
        ),
        "jcs_verify": (lambda: verify_vc(jcs, plain), lambda: peer_jcs.verify(jcs, resolver=resolver, now=now)),
        "rdfc_verify": (
            lambda: verify_vc(rdf, policy),
            lambda: peer_rdf.verify(rdf, resolver=resolver, now=now, extra_contexts=extra),
        ),
        "sd_derive": (
            lambda: ecdsa_sd.derive(base, base["proof"], POINTERS),
            lambda: peer_sd.derive_proof(base, selective_pointers=list(POINTERS), extra_contexts=extra),
        ),
    }
    found: dict[str, float] = {}
    for name, (ours, theirs) in actions.items():
        mine, peer = per_second(ours, repeats), per_second(theirs, repeats)
        found |= {f"{name}_per_s": round(mine), f"{name}_openvc_per_s": round(peer)}
        found[f"{name}_ratio"] = round(mine / peer, 2)
    found["jcs_verify_with_every_word_checked_per_s"] = round(per_second(lambda: verify_vc(jcs, policy), repeats))
    return found


def status(repeats: int) -> float:
    """Checks a second against a list that is at hand."""
    entry = StatusEntry("revocation", LIST, 4711)
    listed = build_list("did:example:issuer", LIST, "revocation", new_list(), CREATED)
    credential = {"issuer": "did:example:issuer", "credentialStatus": build_entry(entry)}
    return per_second(lambda: check_status(credential, lambda _: listed), repeats)


async def resolving(repeats: int, folder: Path) -> dict[str, float]:
    """Milliseconds to resolve a did:lz with its proof, and a did:key."""
    members = [LEDGER.Member(number) for number in range(LEDGER.MEMBERS)]
    genesis = LEDGER.build(members).model_copy(update={"schema_version": 2})
    engine = LEDGER.open_engine(genesis, members, folder)
    await engine.start()
    resolver = Resolver({"lz": LedgerDriver(engine, genesis.chain_id), "key": KeyDriver()})
    try:
        # A block of its own first: at genesis there is no head that a proof could stand under.
        await engine.submit(_anchor(members[0]))
        times: dict[str, list[float]] = {"lz": [], "key": []}
        named = {"lz": members[0].did, "key": document(did_key_signer(ED25519_PUB, SECRET))["issuer"]}
        for name, did in named.items():
            for _ in range(repeats):
                began = time.process_time()
                for _ in range(200):
                    await resolver.resolve(did)
                times[name].append((time.process_time() - began) * 5)
    finally:
        await engine.stop()
    return {f"resolve_{name}_ms": round(statistics.median(values), 3) for name, values in times.items()}


def _anchor(member: Any) -> Any:
    return member.anchors(1, int(time.time() * 1000) + 3_600_000)[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        resolved = asyncio.run(resolving(options.repeats, Path(folder)))
    report: dict[str, object] = {
        "benchmark": "identity",
        **credentials(options.repeats),
        "status_check_per_s": round(status(options.repeats)),
        **resolved,
        "target_jcs_verify_per_s": TARGET_JCS_VERIFY,
    }
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()

"""Step 8: every act is anchored; a fresh process without network or node verifies the bundle offline (EV-4)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.demo.stage import Case, Stage
from lianzheng.demo.steps.founders import AGREEMENT
from lianzheng.encoding.canonical import decode_object
from lianzheng.evidence.model import TrustFile
from lianzheng.limits import BUNDLE_BYTES_MAX
from lianzheng.node.setup import create_genesis

__all__ = ["evidence"]


async def evidence(stage: Stage, case: Case) -> None:
    """Bundle and trust file on disk; accepted, unanchored, and refused in four ways."""
    out, api = stage.settings.out, stage.requester.api
    bundle = await api.get_bytes(f"/api/v1/cases/{case.case_id}/bundle")
    trust = await stage.providers[0].api.get_bytes("/api/v1/network/trust")
    bundle_path, trust_path = out / f"{case.case_id}.bundle.json", out / "network.trust.json"
    bundle_path.write_bytes(bundle)
    trust_path.write_bytes(trust)
    records = len(decode_object(bundle, BUNDLE_BYTES_MAX)["records"])
    stage.screen.act("broker A", f"{bundle_path.name}: {records} acts of one case with all proofs", len(bundle))
    status, text = await _verify(bundle_path, trust_path)
    stage.screen.text("  $ lianzheng verify " + f"{bundle_path} --trust {trust_path}")
    for line in text.splitlines():
        stage.screen.text("    " + line)
    stage.require("the bundle is accepted offline", status == 0)
    status, _ = await _verify(bundle_path, None)
    stage.screen.act("auditor", f"without --trust: consistent but unanchored, exit status {status}")
    stage.require("without trust the exit status is 3", status == 3)
    await _refusals(stage, bundle, bundle_path, trust_path)


async def _refusals(stage: Stage, bundle: bytes, bundle_path: Path, trust_path: Path) -> None:
    broken = bundle_path.with_name("altered.bundle.json")
    middle = len(bundle) // 2
    broken.write_bytes(bundle[:middle] + bytes([bundle[middle] ^ 1]) + bundle[middle + 1 :])
    await _expect_refusal(stage, "one changed byte", broken, trust_path)
    broken.write_bytes(bundle + b"\n")
    await _expect_refusal(stage, "a second encoding of the same (a final newline)", broken, trust_path)
    other = _other_network(stage)
    await _expect_refusal(stage, "a valid bundle under another network's trust file", bundle_path, other)
    broken.unlink()


async def _expect_refusal(stage: Stage, what: str, bundle: Path, trust: Path) -> None:
    status, text = await _verify(bundle, trust)
    reason = next((line.strip() for line in text.splitlines() if line.strip()), "")
    stage.screen.act("auditor", f"{what}: exit status {status}: {reason[:90]}")
    stage.require(f"{what} is refused", status == 1)


async def _verify(bundle: Path, trust: Path | None) -> tuple[int, str]:
    arguments = ["verify", str(bundle)] + ([] if trust is None else ["--trust", str(trust)])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lianzheng",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


def _other_network(stage: Stage) -> Path:
    """The trust file of a network that differs in nothing but one founder's certificate."""
    certificate, _ = create_certificate("another", stage.settings.host)
    first, *rest = stage.network.members
    members = (first.model_copy(update={"certificate": certificate.der}), *rest)
    genesis = create_genesis(stage.network.chain_id, members, AGREEMENT.encode(), {}, stage.clock)
    path = stage.settings.out / "another-network.trust.json"
    path.write_bytes(TrustFile.of_genesis(genesis).to_bytes())
    return path

"""Every published vector is read by a test, or stands here with the reason why none does."""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READERS = ("tests/vectors", "tests/unit/crypto")
NOT_APPLICABLE = {
    "bbs-irtf/*": "BBS signatures come with a later part",
    "bbs-2023/*": "bbs-2023 comes with a later part",
    "voprf/allVectors.json": "oblivious functions come with the binding of identities, in a later part",
    "h2c/BLS12381G2_*": "nothing here hashes to G2",
    "ecdsa/unsigned.json": "the signed documents without their proof",
    "ecdsa/prCredUnsigned.json": "the signed document without its proof",
    "ecdsa/ecdsa-sd-2023/*/addPointerValues.json": "inside our selection; the base proof's components are compared",
    "ecdsa/ecdsa-sd-2023/*/addRawBaseSignatureInfo.json": "components of the base proof, which is compared whole",
    "ecdsa/ecdsa-sd-2023/*/derived*Data.json": "inside our derivation; the derived document is compared whole",
    "ecdsa/ecdsa-sd-2023/*/verify*.json": "inside the verification, which ends in the one signature",
    "eddsa/proof-set-chain/*ConfigSigned*.json": "proofs of the signed documents, which are compared whole",
    "eddsa/proof-set-chain/proofChainTempDoc*.json": "inside the signing; the documents are compared whole",
}


def test_every_file_is_read_or_named(shared_vectors: Path, tmp_path: Path) -> None:
    """The vectors' own tests in a process that notes what it opens."""
    if os.environ.get("OPENED_LIST"):
        return  # inside that process
    listed = tmp_path / "opened"
    folder = shared_vectors.resolve()
    environment = {"OPENED_UNDER": str(folder), "OPENED_LIST": str(listed), "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "opened", *READERS]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    opened = set(listed.read_text("utf-8").splitlines())
    files = {path.relative_to(folder).as_posix(): str(path) for path in folder.rglob("*") if path.is_file()}
    left = [name for name, path in files.items() if path not in opened]
    assert [name for name in left if not any(fnmatch(name, one) for one in NOT_APPLICABLE)] == []
    idle = [one for one in NOT_APPLICABLE if not any(fnmatch(name, one) for name in left)]
    assert idle == [], "named as not applicable, yet read or not there"

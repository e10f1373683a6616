"""``lianzheng conformance serve`` as a process: TLS on loopback, one line of JSON, nowhere else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx

from lianzheng.identity.credentials.contexts import CREDENTIALS_V2

_COMMAND = [sys.executable, "-m", "lianzheng", "conformance", "serve"]


def test_it_serves_and_ends_on_a_signal() -> None:
    with subprocess.Popen([*_COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            printed = json.loads(server.stdout.readline())
            by_profile = {issuer["profile"]: issuer for issuer in printed["issuers"]}
            issuer = by_profile["ecdsa-jcs-2019-p384"]
            credential = {
                "@context": [CREDENTIALS_V2],
                "type": ["VerifiableCredential"],
                "issuer": issuer["did"],
                "credentialSubject": {"id": "did:example:a"},
            }
            with httpx.Client(verify=False, timeout=20) as client:  # noqa: S501 - its certificate is made at its start
                issued = client.post(issuer["issue"], json={"credential": credential})
                assert issued.status_code == 201
                assert issued.json()["verifiableCredential"]["proof"]["verificationMethod"] == issuer["key_id"]
                assert client.post(issuer["verify"], json=issued.json()).status_code == 200
                assert client.post(issuer["verify"], json={}).status_code == 400
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)


def test_any_other_address_is_refused() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        ended = subprocess.run([*_COMMAND, "--host", host], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert "conformance_not_loopback" in ended.stderr

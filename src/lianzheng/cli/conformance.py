"""``lianzheng conformance``: serve what the public W3C suites ask for. Never part of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lianzheng.api.conformance.issuers import Issuer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Answer the public W3C suites, on this machine only.")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.callback()
def group() -> None:
    """Answer the public W3C suites, on this machine only."""


@app.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="A loopback address; anything else is refused.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: the system chooses.")] = 0,
) -> None:
    """Serve over https with a certificate and keys made now; print key ids and endpoints as one JSON line.

    Anybody who reaches it has credentials signed: so it listens on loopback, under keys that nobody trusts and that
    end with it, and shares nothing with a node.
    """
    import asyncio

    from lianzheng.errors import ConfigError

    if host not in _LOOPBACK:
        raise ConfigError(
            "conformance_not_loopback",
            "The conformance server signs whatever it is sent, and listens on loopback only.",
            next_step="Use --host 127.0.0.1, and a tunnel where a suite runs elsewhere.",
        )
    asyncio.run(_serve(host, port))


async def _serve(host: str, port: int) -> None:
    import socket
    import tempfile
    from pathlib import Path

    import uvicorn

    from lianzheng.adapters.transport.certificates import create_certificate
    from lianzheng.api.conformance import Issuers, create_conformance_app
    from lianzheng.clock import SystemClock
    from lianzheng.encoding.canonical import encode

    clock, issuers = SystemClock(), Issuers()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener, tempfile.TemporaryDirectory() as folder:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # whoever reads the line below may connect at once
        name = f"[{host}]" if ":" in host else host
        base_url = f"https://{name}:{listener.getsockname()[1]}"
        certificate, key = create_certificate("lianzheng conformance", host, clock)
        files = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        for path, data in zip(files, (certificate.pem, key), strict=True):
            path.touch(mode=0o600)
            path.write_bytes(data)
        config = uvicorn.Config(
            create_conformance_app(issuers, clock, base_url),
            ssl_certfile=str(files[0]),
            ssl_keyfile=str(files[1]),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
        )
        config.load()
        typer.echo(
            encode({"base_url": base_url, "issuers": [_described(base_url, one) for one in issuers.all]}).decode()
        )
        await uvicorn.Server(config).serve(sockets=[listener])


def _described(base_url: str, issuer: Issuer) -> dict[str, str]:
    at = f"{base_url}/{issuer.profile}"
    return {
        "profile": issuer.profile,
        "cryptosuite": issuer.suite,
        "did": issuer.did,
        "key_id": issuer.signer.verification_method,
        "issue": f"{at}/credentials/issue",
        "verify": f"{at}/credentials/verify",
        "derive": f"{at}/credentials/derive",
        "present": f"{at}/presentations",
        "verify_presentation": f"{at}/presentations/verify",
        "status": f"{at}/credentials/status",
    }

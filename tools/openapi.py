"""Writes openapi/internal.json and openapi/peer.json from the routes themselves.

python tools/openapi.py           write the files
python tools/openapi.py --check   exit 1 where a file is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson

from lianzheng.api.internal.app import create_internal_app
from lianzheng.api.peer.app import create_peer_app
from lianzheng.api.services import NodeServices

FOLDER = Path(__file__).resolve().parent.parent / "openapi"


def documents() -> dict[str, bytes]:
    """File name to content."""
    # Routes are described without a node: they touch the services only when they are called.
    services = cast(NodeServices, SimpleNamespace(api_token=""))
    apps = {"internal.json": create_internal_app(services), "peer.json": create_peer_app(services)}
    return {name: _encode(app.openapi()) for name, app in apps.items()}


def _encode(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def main(arguments: list[str]) -> int:
    """Write or check the files."""
    made = documents()
    if "--check" in arguments:
        return int(any(not (FOLDER / name).exists() or (FOLDER / name).read_bytes() != made[name] for name in made))
    FOLDER.mkdir(exist_ok=True)
    for name, data in made.items():
        (FOLDER / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

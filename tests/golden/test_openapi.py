"""The published description of both APIs is what the routes say."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from arch.source import REPOSITORY


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("openapi_tool", REPOSITORY / "tools" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_up_to_date(tool: ModuleType) -> None:
    made = tool.documents()
    assert sorted(made) == sorted(path.name for path in tool.FOLDER.iterdir())
    for name, data in made.items():
        assert (tool.FOLDER / name).read_bytes() == data, f"openapi/{name}: run `make golden` and look at what changed"


def test_every_route_says_what_it_does_and_how_it_refuses(tool: ModuleType) -> None:
    import orjson

    for name, data in tool.documents().items():
        document = orjson.loads(data)
        assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "code"]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                assert operation.get("description"), f"{name} {path}: a docstring is missing"
                if path.startswith("/1.0/identifiers/"):  # its statuses are those of DID Resolution
                    assert set(operation["responses"]) >= {"200", "303", "404", "410", "501"}
                    continue
                found = set(operation["responses"])  # VCALM: what makes a document answers 201
                assert found in ({"200", "default"}, {"201", "default"}), f"{name} {path}"

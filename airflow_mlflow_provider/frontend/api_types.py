# ruff: noqa: INP001 - a program beside the sources that it serves
"""Writes the types of the JSON API for the front end, ``src/views/api/schema.ts``, from its OpenAPI document.

usage: python airflow_mlflow_provider/frontend/api_types.py      (``make ui`` runs it first)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "src" / "views" / "api" / "schema.ts"
_HEAD = "// Made by api_types.py from the OpenAPI document of the JSON API: change that, then `make ui`.\n"
_SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_FOREIGN = {"HTTPValidationError", "ValidationError"}


def schema_source(document: dict[str, Any]) -> str:
    """The TypeScript of an OpenAPI document.

    Args:
        document: As FastAPI makes it.

    Returns:
        An interface for each schema, and one for each HTTP method that maps an address to what it takes and answers.
    """
    schemas = document["components"]["schemas"]
    parts = [_HEAD]
    parts += [_interface(name, schema) for name, schema in sorted(schemas.items()) if name not in _FOREIGN]
    methods = sorted({method for path in document["paths"].values() for method in path})
    parts += [_methods(method, document["paths"]) for method in methods]
    return "\n".join(parts)


def _interface(name: str, schema: dict[str, Any]) -> str:
    first = schema.get("description", "").split("\n")[0]
    lines = [f"/** {first} */", f"export interface {name} {{"]
    required = set(schema.get("required", ()))
    lines += [
        f"  {_name(field)}{'' if field in required else '?'}: {_type(of)};"
        for field, of in schema.get("properties", {}).items()
    ]
    return "\n".join([*lines, "}", ""])


def _methods(method: str, paths: dict[str, Any]) -> str:
    lines = [f"export interface {method.capitalize()} {{"]
    for path, operations in sorted(paths.items()):
        if method in operations:
            operation = operations[method]
            given = [f"path: {_parameters(operation, 'path')}", f"query: {_parameters(operation, 'query')}"]
            body = operation.get("requestBody")
            given += [f"body: {_content(body)}"] if body else []
            answer = _content(next(of for code, of in operation["responses"].items() if code < "300"))
            lines.append(f"  {json.dumps(path)}: {{ {'; '.join(given)}; answer: {answer} }};")
    return "\n".join([*lines, "}", ""])


def _parameters(operation: dict[str, Any], place: str) -> str:
    found = [
        f"{_name(one['name'])}{'' if one.get('required') else '?'}: {_type(one['schema'])}"
        for one in operation.get("parameters", [])
        if one["in"] == place
    ]
    return f"{{ {'; '.join(found)} }}" if found else "Record<string, never>"


def _content(answer: dict[str, Any]) -> str:
    content = answer.get("content", {}).get("application/json")
    return _type(content["schema"]) if content else "string"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(json.dumps(one) for one in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        items = _type(schema.get("items", {}))
        return f"({items})[]" if "|" in items else f"{items}[]"
    if kind == "object":
        values = schema.get("additionalProperties", {})
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    return _SCALARS.get(kind or "", "unknown")


def _name(field: str) -> str:
    return field if field.isidentifier() else json.dumps(field)


def main() -> None:
    """Write the file."""
    from airflow_mlflow_provider.plugins.api import create_app

    TARGET.write_text(schema_source(create_app().openapi()))


if __name__ == "__main__":
    main()

"""The types that the front end has of the JSON API are those of its OpenAPI document."""

from __future__ import annotations

from tests.frontend.test_bundles import FRONTEND
from tests.plugins.application import application


def test_the_front_end_has_the_types_of_the_api_as_it_is() -> None:
    namespace: dict[str, object] = {"__name__": "api_types", "__file__": str(FRONTEND / "api_types.py")}
    exec(compile((FRONTEND / "api_types.py").read_text(), "api_types.py", "exec"), namespace)
    source = namespace["schema_source"](application().openapi())  # type: ignore[operator]
    committed = (FRONTEND / "src" / "views" / "api" / "schema.ts").read_text()
    assert committed == source, "run `make ui` and commit what it writes"

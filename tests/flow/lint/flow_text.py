"""Flows as text: written to a file, imported, and compared with the findings that their comments announce.

A comment ``#! G207 start again`` announces a finding of rule G207 on its line whose text has these words;
``#! W:S602`` gives the severity where a rule has two.
"""

from __future__ import annotations

import itertools
import re
import sys
import textwrap
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.lint import lint

HEADER = """\
from airflow_mlflow_provider.flow.config import Config
from airflow_mlflow_provider.flow.decorators import card, catch, parallel, retry
from airflow_mlflow_provider.flow.parameters import Parameter
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from tests.flow.lint.written_flow_names import fill, load_data

"""
_EXPECTED = re.compile(r"#!\s*([EW]:)?([A-Z]\d{3})((?:\s+[^#]+)?)")
_numbers = itertools.count()


def load(folder: Path, text: str) -> type:
    """The class ``Flow`` of a module with this text; a text without classes is the body of ``Flow``."""
    text = textwrap.dedent(text).strip("\n") + "\n"
    if not re.search(r"^class ", text, re.MULTILINE):
        text = "class Flow(FlowSpec):\n" + textwrap.indent(text, "    ")
    path = folder / f"flow_{next(_numbers)}.py"
    path.write_text(HEADER + text, encoding="utf-8")
    return imported(path)


def imported(path: Path) -> type:
    """The class ``Flow`` of a file."""
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    flow: type = module.Flow
    return flow


def steps_text(steps: Mapping[str, str | None]) -> str:
    """The body of a flow: ``{"start": "self.a", "join(inputs)": "self.end", "end": None}``.

    Steps that are the target of a gang get ``@parallel``.
    """
    gangs = {m[1] for call in steps.values() if (m := re.match(r"self\.(\w+), num_parallel", call or ""))}
    lines: list[str] = []
    for head, call in steps.items():
        name, _, inputs = head.partition("(")
        lines += ["@parallel"] if name in gangs else []
        arguments = "self, inputs" if inputs else "self"
        lines += ["@step", f"def {name}({arguments}):", f"    self.next({call})" if call else "    pass"]
    return "\n".join(lines)


def assert_announced(flow: type[Any]) -> None:
    """See that the findings are those that the flow's comments announce, on their lines, with their words."""
    issues = lint(flow)
    announced = sorted((rule, line, severity) for rule, line, severity, _ in _announced(flow))
    found = sorted((issue.rule, issue.line, issue.severity) for issue in issues)
    assert found == announced, "\n".join(map(str, issues))
    assert not _missing_words(flow, issues), "\n".join(map(str, issues))


def _missing_words(flow: type[Any], issues: list[LintIssue]) -> list[str]:
    """Words that are announced and in no finding of that rule on that line."""
    missing: list[str] = []
    for rule, line, _, words in _announced(flow):
        text = " ".join(f"{i.message} {i.fix}" for i in issues if i.rule == rule and i.line == line)
        missing += [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]
    return missing


def _announced(flow: type[Any]) -> list[tuple[str, int, str, list[str]]]:
    path = sys.modules[flow.__module__].__file__
    assert path is not None
    announced = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), 1):
        for severity, rule, words in _EXPECTED.findall(line):
            default = "W" if rule in ("N103", "M804", "A901", "A902", "A904", "D008") else "E"
            announced.append((rule, number, severity[:1] or default, words.split()))
    return announced

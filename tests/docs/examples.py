"""Examples of the documentation: what stands in fences of pages and docstrings, and how it is run.

A fence says what is to be done with it. ``python`` is executed, all blocks of a page in one process and one namespace, and functions called ``test_…`` are called; with
``title="train.py"`` it is written to that file instead. Each ``$`` line of ``console`` is a command of bash, and lines below it must be
among what it prints (``…`` stands for anything); ``exit=1`` is the exit code it should have; an ``export`` holds for the commands after it. ``RUN`` stands for the latest run of the folder.
``not-run="why"`` exempts a block. Every page has a folder of its own, with the files of `files/`.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FILES = Path(__file__).with_name("files")
SECONDS = 240
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n`]*)\n(?P<source>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_EXPORT = re.compile(r"export (?P<name>\w+)=(?P<value>\S+)\s*(#.*)?$")
_SAYS = re.compile(r'([\w-]+)=(?:"([^"]*)"|(\d+))')
# Answers by a pipe of its own, so that examples may print.
_INTERPRETER = """
import json, os, sys, traceback
sys.path.insert(0, "")
names = {}
exec(sys.argv[2], names)
names["__name__"] = "example"
answers = os.fdopen(int(sys.argv[1]), "w")
for line in sys.stdin:
    source, name = json.loads(line)
    try:
        known = set(names)
        exec(compile(source, name, "exec"), names)
        for test in [value for key, value in names.items() if key.startswith("test_") and key not in known]:
            test()
        answer = ""
    except BaseException:
        answer = traceback.format_exc()
    print(json.dumps(answer), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Example:
    """A fence.

    Attributes:
        place: File and line.
        language: What it is written in.
        says: What the fence says of it, by name.
        source: Its text.
    """

    place: str
    language: str
    says: Mapping[str, str]
    source: str


def examples_of(text: str, place: str, first_line: int = 1) -> list[Example]:
    """The fences of a text in Markdown."""
    return [
        Example(
            f"{place}:{first_line + text[: fence.start()].count(chr(10))}",
            fence["language"],
            {name: quoted or number for name, quoted, number in _SAYS.findall(fence["info"])},
            inspect.cleandoc("\n" + fence["source"]) + "\n",
        )
        for fence in _FENCE.finditer(text)
    ]


def pages() -> dict[str, list[Example]]:
    """The examples of each page."""
    found = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    return {
        name: examples_of(page.read_text("utf-8"), name)
        for page in found
        if (name := str(page.relative_to(PROJECT)))
    }


def docstrings() -> dict[str, list[Example]]:
    """The examples of each docstring of the package that has any."""
    found: dict[str, list[Example]] = {}
    for file in sorted((PROJECT / "airflow_mlflow_provider").rglob("*.py")):
        text = file.read_text("utf-8")
        if "```" in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (
                    doc := ast.get_docstring(node)
                ):
                    place = f"{file.relative_to(PROJECT)}:{getattr(node, 'name', 'module')}"
                    if examples := examples_of(doc, place, node.body[0].lineno):
                        found[place] = examples
    return found


class Folder:
    """Runs the examples of one page, in order.

    Args:
        path: Where they run.
        environment: Variables in addition to those of this process.
        first: Python that is run before the first of the unnamed blocks.
    """

    def __init__(self, path: Path, environment: Mapping[str, str], first: str = "") -> None:
        self._path = path
        self._first = first
        shutil.copytree(FILES, path, dirs_exist_ok=True)
        shutil.copy(PROJECT / "dags_examples" / "hello_flow.py", path)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))
        }
        self._environment = {
            **kept,
            "AIRFLOW_HOME": str(path / "airflow"),
            "AIRFLOW__MLFLOW_PROVIDER__USER": "ann",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **environment,
        }
        self._interpreter: subprocess.Popen[str] | None = None

    def run(self, example: Example) -> None:
        """Run an example.

        Raises:
            AssertionError: It does not do what it says.
        """
        if "not-run" in example.says:
            return
        if example.language == "console":
            for command, output in commands(example.source):
                self._command(example, command, output)
        elif example.language == "python" and "title" in example.says:
            (self._path / example.says["title"]).write_text(example.source, "utf-8")
        elif example.language == "python":
            error = self._ask(example)
            assert not error, f"{example.place}\n{error}"

    def close(self) -> None:
        """End the interpreter."""
        if self._interpreter is not None:
            self._interpreter.communicate()
            self._answers.close()

    def _command(self, example: Example, command: str, output: list[str]) -> None:
        if exported := _EXPORT.match(command):
            self._environment[exported["name"]] = exported["value"]
            return
        if re.search(r"\bRUN\b", command):
            command = re.sub(r"\bRUN\b", self._latest_run(), command)
        done = self._bash(command)
        printed = done.stdout + done.stderr
        told = f"{example.place}\n$ {command}\nexit code {done.returncode}\n{printed}"
        assert done.returncode == int(example.says.get("exit", 0)), told
        for line in output:
            pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
            assert re.search(pattern, printed), f"{told}\nnot printed: {line}"

    def _bash(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self._path,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _latest_run(self) -> str:
        flows = json.loads(self._bash("airflow-flow status --as-json").stdout)["flows"]
        return str(max(flows, key=lambda flow: flow["created_at"])["latest_run"])

    def _ask(self, example: Example) -> str:
        if self._interpreter is None:
            reading, writing = os.pipe()
            self._interpreter = subprocess.Popen(
                [sys.executable, "-c", _INTERPRETER, str(writing), self._first],
                cwd=self._path,
                env=self._environment,
                stdin=subprocess.PIPE,
                pass_fds=[writing],
                text=True,
            )
            os.close(writing)
            self._answers = os.fdopen(reading)
        assert self._interpreter.stdin is not None
        self._interpreter.stdin.write(json.dumps([example.source, example.place]) + "\n")
        self._interpreter.stdin.flush()
        return str(json.loads(self._answers.readline()))


def commands(source: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console with the lines that it should print."""
    for part in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
        command, *output = part.strip().replace("\\\n", " ").splitlines()
        yield command, [line for line in output if line.strip(" …")]

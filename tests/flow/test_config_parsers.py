from __future__ import annotations

from typing import Any

import pytest

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.config_parsers import (
    conda_environment_yml_parser,
    pyproject_toml_parser,
    requirements_txt_parser,
    yaml_parser,
)

REQUIREMENTS = """
# what we need
pandas==2.2.1
numpy >= 1.26, <3      # with a comment
requests[socks, security]==2.32
scikit-learn
python==3.11.*
tool @ git+https://example.org/tool.git@v1#egg=tool
long \\
    ~=1.4
"""


def test_requirements_give_packages_and_the_version_of_python() -> None:
    assert requirements_txt_parser(REQUIREMENTS) == {
        "packages": {
            "pandas": "2.2.1",
            "numpy": ">=1.26,<3",
            "requests[socks,security]": "2.32",
            "scikit-learn": "",
            "tool @ git+https://example.org/tool.git@v1#egg=tool": "",
            "long": "~=1.4",
        },
        "python": "3.11.*",
    }


@pytest.mark.parametrize(
    "line", ["-r other.txt", "--hash=sha256:1", "./local", "pandas; python_version<'3'", "a b"]
)
def test_a_requirement_that_is_not_supported_is_named(line: str) -> None:
    with pytest.raises(MetaflowException) as caught:
        requirements_txt_parser(line)
    assert line in caught.value.message.replace("\\'", "'")
    assert "requirements.txt" in caught.value.message


def test_pyproject_gives_dependencies_and_requires_python() -> None:
    text = '[project]\nname = "x"\nrequires-python = ">=3.10"\ndependencies = ["pandas (>=2)", "numpy==1.26.4"]\n'
    assert pyproject_toml_parser(text) == {
        "packages": {"pandas": ">=2", "numpy": "1.26.4"},
        "python": ">=3.10",
    }
    assert pyproject_toml_parser("[tool.x]\na = 1\n") == {"packages": {}}
    with pytest.raises(MetaflowException, match="not TOML"):
        pyproject_toml_parser("[")


def test_a_conda_environment_gives_packages_those_of_pip_included() -> None:
    text = """
name: x
channels: [conda-forge]
dependencies:
  - python=3.11
  - conda-forge::pandas=2.2.1
  - numpy>=1.26
  - scipy
  - pip:
      - rich==13.7
"""
    assert conda_environment_yml_parser(text) == {
        "packages": {"pandas": "2.2.1", "numpy": ">=1.26", "scipy": "", "rich": "13.7"},
        "python": "3.11",
    }


@pytest.mark.parametrize("text", ["name: x", "dependencies: [{conda: [a]}]", "- a", "dependencies: [1]"])
def test_a_file_that_is_no_conda_environment_is_refused(text: str) -> None:
    with pytest.raises(MetaflowException, match=r"environment\.yml"):
        conda_environment_yml_parser(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("on: 2024-01-02", {True: "2024-01-02"}),
        ("at: 2024-01-02T03:04:05Z", {"at": "2024-01-02T03:04:05Z"}),
    ],
)
def test_yaml_is_read_with_dates_as_text(text: str, value: Any) -> None:
    assert yaml_parser(text) == value


def test_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(MetaflowException, match="not YAML"):
        yaml_parser("a: [")

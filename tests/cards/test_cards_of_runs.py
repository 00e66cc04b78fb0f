"""Cards of real runs: what is stored, in which state, and that no card changes how its task ends."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_mlflow_provider.cards import (
    CardClassFoundException,
    CardContainer,
    CardNotPresentException,
    IncorrectArgumentException,
    IncorrectPathspecException,
    TaskNotFoundException,
    TypeRequiredException,
    get_cards,
)
from airflow_mlflow_provider.cards.creating import create_card
from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.reading import attempt_card, attempt_cards
from airflow_mlflow_provider.client import Task
from tests.flow_runs import FlowFile, FlowRun

CARDS = '''
import time
from airflow_mlflow_provider.cards import *

class PlainCard(MetaflowCard):
    """Renders its own page of the task's artifact."""
    type = "plain"
    ALLOW_USER_COMPONENTS = True

    def __init__(self, options={}, components=[], graph=None, flow=None):
        self.components, self.graph, self.word = components, graph, options.get("word", "")

    def render(self, task):
        return f"<b>{self.word} {task.data.x} {self.graph['end']['type']} {len(self.components)}</b>"

class SlowCard(MetaflowCard):
    type = "slow"

    def render(self, task):
        while True:
            time.sleep(0.01)

class RaisingCard(MetaflowCard):
    type = "raising"

    def render(self, task):
        raise KeyError("oh")

class StrictCard(MetaflowCard):
    type = "strict"

    def __init__(self):
        pass

CARDS = [PlainCard, SlowCard, RaisingCard, StrictCard]

class CardsFlow(FlowSpec):
    """Makes cards."""
    p = Parameter("p", default=3)

    @card
    @card(type="blank", id="b", rank="high")
    @step
    def start(self):
        """What *start* does."""
        self.x = 1
        current.card.append(Markdown("of the default"), id="first")
        current.card["b"].append(ProgressBar(value=5))
        current.card["nobody"].append(Markdown("dropped"))
        self.next(self.own)

    @card(type="plain", options={"word": "w"})
    @card(type="slow", timeout=0.2, id="s")
    @card(type="raising", id="r")
    @card(type="raising", id="none", save_errors=False)
    @card(type="strict", id="o")
    @card(type="unheard_of", id="u")
    @step
    def own(self):
        current.card.append(Markdown("x"))
        self.next(self.tried)

    @retry(times=1, minutes_between_retries=0)
    @card
    @card(type="plain", id="p")
    @card(type="blank", id="quiet", save_errors=False)
    @step
    def tried(self):
        current.card.append(Markdown(f"attempt {current.retry_count}"))
        if current.retry_count == 0:
            raise ValueError("not the first time")
        self.next(self.caught)

    @catch(var="failed", print_exception=False)
    @card
    @step
    def caught(self):
        raise RuntimeError("caught one")
        self.next(self.end)

    @step
    def end(self):
        assert "card" not in current
'''


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    """The flow with all kinds of cards."""
    return FlowFile(tmp_path_factory.mktemp("cards"), CARDS)


@pytest.fixture(scope="module")
def run(flow: FlowFile) -> FlowRun:
    """One run of it."""
    return flow.run().succeeded()


def cards(run: FlowRun, step: str, attempt: int | None = None) -> list[CardDocument]:
    """The cards of a step's task."""
    return [card for _, card in attempt_cards(run.ledger, run.done(step, attempt=attempt).key)]


def task(run: FlowRun, step: str) -> Task:
    """A task as the client shows it."""
    return Task(f"{run.flow}/{run.run}/{step}/0", _namespace_check=False, _store=run.ledger.store.url)


def types(document: CardDocument) -> list[str]:
    """What is in a card, from the top down: sections by their title."""
    return [part.get("title") if part["type"] == "section" else part["type"] for part in document.components]


def part(document: CardDocument, title: str) -> dict[str, Any]:
    """The first component of a section."""
    (found,) = (one for one in document.components if one.get("title") == title)
    first: dict[str, Any] = found["children"][-1]
    return first


def test_the_default_card_shows_the_step_below_what_its_author_put_into_it(run: FlowRun) -> None:
    default, blank = cards(run, "start")
    assert types(default) == ["markdown", "Step", "Flow", "Parameters", "Artifacts", "Code", "Environment"]
    assert default.components[0] == {"type": "markdown", "text": "of the default", "id": "first"}
    assert default.status == "succeeded"
    assert part(default, "Flow")["here"] == "start"
    assert [one["name"] for one in part(default, "Flow")["steps"]] == [
        "start",
        "own",
        "tried",
        "caught",
        "end",
    ]
    assert part(default, "Parameters")["items"][0]["preview"] == {"repr": "3"}
    assert [one["name"] for one in part(default, "Artifacts")["items"]] == ["x"]
    assert "def start(self):" in part(default, "Code")["text"]
    assert (blank.id, blank.rank, types(blank)) == ("b", "high", ["progress"])


def test_a_card_is_one_object_of_a_few_kilobytes(run: FlowRun) -> None:
    key = run.done("start").key
    sizes = [info.size for info in run.ledger.store.list(key.prefix) if "/card-" in info.key]
    assert len(sizes) == 2
    assert max(sizes) < 8_000


def test_an_unknown_id_warns_in_the_log_of_the_step(run: FlowRun) -> None:
    assert "its ids are 'b'" in run.text("start", "stderr")


def test_a_custom_type_renders_its_own_page_with_options_graph_and_components(run: FlowRun) -> None:
    plain = cards(run, "own")[0]
    assert plain.html == "<b>w 1 end 1</b>"
    assert get_cards(task(run, "own"))[0].get() == "<b>w 1 end 1</b>"


def test_a_card_that_is_slow_raises_or_is_unknown_becomes_an_error_card_and_the_task_succeeds(
    run: FlowRun,
) -> None:
    found = {card.id: card for card in cards(run, "own")}
    assert set(found) == {None, "s", "r", "o", "u"}
    for name, message in (
        ("s", "longer than 0.2 s"),
        ("r", "oh"),
        ("o", "positional|keyword"),
        ("u", "unheard_of"),
    ):
        assert found[name].type == "error"
        assert any(word in found[name].components[0]["message"] for word in message.split("|"))
    assert run.done("own").outcome == "succeeded"
    told = run.text("own", "stderr")
    assert told.count("@card:") == 5
    assert all(line.count(f"{run.run}/own/0") == 1 for line in told.splitlines() if "@card:" in line)
    assert "the slow card 's' of" in told
    assert "StrictCard takes ()" in told


def test_a_failed_attempt_keeps_the_error_and_the_components_so_far(run: FlowRun) -> None:
    default, custom = cards(run, "tried", attempt=0)
    assert default.status == custom.status == "failed"
    assert types(default)[:2] == ["error", "markdown"]
    assert default.components[0]["message"] == "not the first time"
    assert custom.type == "error"
    later = cards(run, "tried", attempt=1)[0]
    assert later.status == "succeeded"
    assert [row[:2] for row in part(later, "Attempts")["rows"]] == [[0, "failed"], [1, "succeeded"]]


def test_a_caught_error_is_shown_on_a_card_that_succeeded(run: FlowRun) -> None:
    (caught,) = cards(run, "caught")
    assert caught.status == "succeeded"
    assert caught.components[0]["title"] == "An error was caught"


def test_the_client_finds_cards_by_type_and_id(run: FlowRun) -> None:
    found = get_cards(task(run, "start"))
    assert isinstance(found, CardContainer)
    assert [(card.type, card.id) for card in found] == [("default", None), ("blank", "b")]
    assert [card.id for card in get_cards(task(run, "start"), type="blank")] == ["b"]
    assert len(get_cards(task(run, "start"), id="other")) == 0
    assert len(get_cards(task(run, "end"))) == 0
    assert found[0].hash != found[1].hash
    assert found[0].path.endswith("card-00.json")
    assert not found.from_resumed
    with pytest.raises(IndexError, match="2 such cards"):
        found[2]
    assert found._repr_html_().count("<iframe sandbox=") == 2


def test_what_is_no_task_is_told_apart(run: FlowRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", run.ledger.store.url)
    with pytest.raises(IncorrectArgumentException, match="int"):
        get_cards(3)  # type: ignore[arg-type]
    with pytest.raises(IncorrectPathspecException, match="Flow/run"):
        get_cards("Flow/run")
    with pytest.raises(TaskNotFoundException, match=r"start/nothing.*tasks of start: 0"):
        get_cards(f"{run.flow}/{run.run}/start/nothing")
    with pytest.raises(
        CardNotPresentException, match=r"no card 7; it has the default card .*, the blank card 'b'"
    ):
        attempt_card(run.ledger, run.done("start").key, 7)


def test_a_card_can_be_made_of_a_finished_task(run: FlowRun) -> None:
    made = create_card(task(run, "end"), id="late")
    again = get_cards(task(run, "end"))
    assert [(card.id, card.hash) for card in again] == [("late", made.hash)]
    assert "def end(self):" in part(again[0].document, "Code")["text"]


def test_a_card_that_cannot_be_made_names_its_task_its_type_and_what_there_is(run: FlowRun) -> None:
    of = task(run, "end")
    for kind, error, told in (
        ("nothing", CardClassFoundException, "blank, default"),
        ("", TypeRequiredException, "blank, default"),
    ):
        with pytest.raises(error, match=f"{of.pathspec}.* known are {told}"):
            create_card(of, kind)


def test_the_commands_list_and_write_cards(flow: FlowFile, run: FlowRun, tmp_path: Path) -> None:
    listed = flow.run("list", f"{run.run}/start", "--as-json", command="card").succeeded()
    (described,) = msgspec.json.decode(listed.stdout)
    assert [card["id"] for card in described["cards"]] == ["b", None]
    many = flow.run("get", "start", command="card").failed()
    assert "2 cards fit start" in many.stderr
    ranked = flow.run("list", f"{run.run}/start", command="card").succeeded().stdout.splitlines()
    assert ["id=b" in line for line in ranked] == [True, False]
    page = tmp_path / "page.html"
    flow.run("get", "start", str(page), "--id", "b", command="card").succeeded()
    assert page.read_text().startswith("<!doctype html>")
    none = flow.run("get", "start", "--id", "c", command="card").failed()
    assert "No card fits start with --id c; it has <Card default" in none.stderr
    assert "id='b'" in none.stderr
    absent = flow.run("get", f"{run.run}/own/9", command="card").failed()
    assert "own/9 (tasks of own: 0)" in absent.stderr
    unfit = flow.run("list", "start", "--id", "c", command="card").succeeded()
    assert "No card there fits --id c." in unfit.stderr
    created = flow.run("create", "own", "--type", "plain", "--options", '{"word": "v"}', command="card")
    assert "Stored a card of type plain" in created.succeeded().stderr


def test_a_step_without_cards_imports_nothing_of_them(tmp_path: Path) -> None:
    source = """
    import sys
    class NoCards(FlowSpec):
        @step
        def start(self):
            self.next(self.end)
        @step
        def end(self):
            self.loaded = [name for name in sys.modules if name.startswith("airflow_mlflow_provider.cards")]
    """
    file = FlowFile(tmp_path, source)
    file.path.write_text(file.path.read_text().replace("import *", "import FlowSpec, step", 1))
    assert file.run().succeeded().value("loaded") == []


def test_cards_of_tasks_taken_over_are_those_of_the_origin(flow: FlowFile, run: FlowRun) -> None:
    resumed = flow.run("caught", "--origin-run-id", run.run, command="resume").succeeded()
    assert resumed.run != run.run
    found = get_cards(task(resumed, "start"))
    assert found.from_resumed
    assert found.origin_pathspec == f"{run.flow}/{run.run}/start/0"
    assert [card.id for card in found] == [None, "b"]
    assert len(get_cards(task(resumed, "start"), follow_resumed=False)) == 0


def test_a_step_that_is_killed_leaves_no_running_card(tmp_path: Path) -> None:
    source = """
    import os, time
    from airflow_mlflow_provider.cards import Markdown
    class Killed(FlowSpec):
        @card(type="blank", refresh_interval=0)
        @step
        def start(self):
            current.card.append(Markdown("so far"))
            current.card.refresh(force=True)
            folder = os.path.join(os.getcwd(), "store")
            while not any("card-00.json" in names for _, _, names in os.walk(folder)):
                time.sleep(0.01)
            os.kill(os.getpid(), 9)
            self.next(self.end)
        @step
        def end(self):
            pass
    """
    run = FlowFile(tmp_path, source).run().failed()
    (card,) = cards(run, "start")
    assert card.status == "failed"
    assert card.components == [{"type": "markdown", "text": "so far"}]


def test_importing_the_room_is_quick_and_needs_no_airflow() -> None:
    import sys

    code = "import sys, airflow_mlflow_provider.cards\nsys.exit('airflow' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_card_does_not_hold_the_values_of_secrets(tmp_path: Path) -> None:
    source = """
    import os
    from airflow_mlflow_provider.cards import Markdown, JSONViewer
    class Secretive(FlowSpec):
        @card(type="blank")
        @secrets(sources=[{"type": "inline", "id": "", "options": {"env_vars": {"TOKEN": "tok-123456"}}}])
        @step
        def start(self):
            current.card.append(Markdown("uses " + os.environ["TOKEN"]))
            current.card.append(JSONViewer({"token": [os.environ["TOKEN"]]}))
            self.next(self.end)
        @step
        def end(self):
            pass
    """
    run = FlowFile(tmp_path, source).run().succeeded()
    (card,) = cards(run, "start")
    assert card.components[0]["text"] == "uses ***"
    assert card.components[1]["data"] == {"token": ["***"]}

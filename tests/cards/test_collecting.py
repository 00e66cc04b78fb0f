"""``current.card``: which card is meant, and that a mistake warns and changes nothing."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from airflow_mlflow_provider.cards import ComponentOverwriteNotSupportedException, Markdown
from airflow_mlflow_provider.cards.collecting import CardCollector, CardEditor, Place
from airflow_mlflow_provider.cards.component_store import CardWarning


def place(card_id: str | None = None, *, customize: bool = False, editable: bool = True) -> Place:
    """A card of a step."""
    return Place(CardEditor(f"card {card_id}", None), "default", card_id, customize, editable)


@pytest.mark.parametrize(
    ("places", "default"),
    [
        ([place()], 0),
        ([place("a")], 0),
        ([place("a"), place()], 1),
        ([place("a"), place("b", customize=True)], 1),
        ([place(), place(editable=False)], 0),
        ([place("a"), place("b")], None),
        ([place(), place()], None),
        ([place(editable=False)], None),
    ],
)
def test_the_default_card_is_the_customized_the_only_or_the_one_without_id(
    places: list[Place], default: int | None
) -> None:
    card = CardCollector(places)
    if default is None:
        with pytest.warns(CardWarning, match="no default card"):
            card.append(Markdown("x"))
    else:
        card.append(Markdown("x"))
    assert [len(one.editor) for one in places] == [int(n == default) for n in range(len(places))]
    for one in places:
        one.editor.clear()


def test_several_cards_with_customize_are_told_and_the_rule_for_cards_without_it_holds() -> None:
    places = [place("a", customize=True), place("b", customize=True), place()]
    with pytest.warns(CardWarning, match="several cards of the step have it: card a, card b"):
        card = CardCollector(places)
    card.append(Markdown("x"))
    assert [len(one.editor) for one in places] == [0, 0, 1]


def test_cards_are_found_by_id_and_set_as_a_whole() -> None:
    card = CardCollector([place("a"), place("b")])
    card["a"].append(Markdown("1"))
    card["b"] = [Markdown("2"), Markdown("3")]
    assert [len(found) for found in card.get()] == [1, 2]
    assert "a" in card
    assert "c" not in card


def test_an_unknown_id_warns_once_and_takes_what_it_is_given() -> None:
    card = CardCollector([place("a")])
    with pytest.warns(CardWarning, match="its ids are 'a'"):
        card["b"].append(Markdown("x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card["b"].refresh()
        card["b"] = [Markdown("x")]
    assert len(card["a"]) == 0


def test_an_id_that_two_cards_have_is_dropped() -> None:
    card = CardCollector([place("a"), place("a")])
    with pytest.warns(CardWarning, match="2 cards of the step have it"):
        card["a"].append(Markdown("x"))


def test_components_have_ids_that_are_not_given_twice() -> None:
    card = CardCollector([place()])
    card.append(Markdown("x"), id="c")
    card.components["d"] = Markdown("y")
    card.components["c"].update("z")
    assert card.components.rendered()[0] == {"type": "markdown", "text": "z", "id": "c"}
    assert "c" in card.components
    with pytest.raises(ComponentOverwriteNotSupportedException, match="'c' already; it has c, d"):
        card.components["c"] = Markdown("again")
    del card.components["d"]
    assert "d" not in card.components
    with pytest.raises(KeyError, match="it has c"):
        del card.components["d"]
    card.clear()
    assert len(card.components) == 0


def test_a_component_appended_under_an_id_that_is_taken_stands_in_its_place() -> None:
    card = CardCollector([place()])
    card.append(Markdown("x"), id="c")
    card.append(Markdown("last"))
    card.append(Markdown("y"), id="c")
    assert [one["text"] for one in card.components.rendered()] == ["y", "last"]


def test_an_update_of_a_component_that_is_not_there_warns_once_and_adds_nothing() -> None:
    card = CardCollector([place()])
    card.append(Markdown("x"), id="c")
    with pytest.warns(CardWarning, match="'d'; it has c"):
        card.components["d"].update("y")
    card.components["d"].update("z")
    assert [one["id"] for one in card.components.rendered()] == ["c"]


def test_a_component_that_is_no_list_warns_and_is_taken_as_one() -> None:
    card, alone = CardCollector([place("a")]), Markdown("one")
    with pytest.warns(CardWarning, match="Markdown is not a list of components"):
        card["a"] = alone  # type: ignore[assignment]
    assert len(card["a"]) == 1


@pytest.mark.filterwarnings("ignore::airflow_mlflow_provider.cards.component_store.CardWarning")
@pytest.mark.parametrize("given", ["text", 5])
def test_a_value_that_is_neither_list_nor_component_is_shown_by_a_preview(given: Any) -> None:
    card = CardCollector([place("a")])
    with pytest.warns(CardWarning, match="is not a list of components"):
        card["a"] = given
    assert [one["type"] for one in card["a"].components.rendered()] == ["artifact"]


def test_a_warning_names_the_line_of_the_step() -> None:
    card = CardCollector([place("a")])
    with pytest.warns(CardWarning) as warned:
        card["a"].append("text")
    assert warned[0].filename == __file__


def test_what_is_no_component_warns_and_is_shown_by_a_preview() -> None:
    card = CardCollector([place()])
    with pytest.warns(CardWarning, match="str is not a component"):
        card.extend(["text"])
    assert card.components.rendered()[0]["type"] == "artifact"


def test_refresh_hands_on_json_and_leaves_out_the_rest() -> None:
    asked: list[tuple[Any, bool]] = []
    editor = CardEditor("x", lambda data, force: asked.append((data, force)))
    editor.refresh({"a": [1]}, force=True)
    with pytest.warns(CardWarning, match="no JSON"):
        editor.refresh({"a": object()})
    assert asked == [({"a": [1]}, True), (None, False)]


def test_warnings_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__CARD_WARNINGS", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CardCollector([]).append("x")

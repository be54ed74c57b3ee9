"""From strings and objects to conditions; whatever is not exactly one condition is refused."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosetta.errors import ConfigurationError
from rosetta.filters import MAX_CONDITIONS, Condition, Operator, parse_condition, parse_filters
from rosetta.filters.condition import LISTS, MAX_CHARACTERS, MAX_VALUES, NULL_TESTS

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("created_at >= '2026-01-01'", Condition("created_at", Operator.GREATER_EQUAL, ("2026-01-01",))),
        ("a=1", Condition("a", Operator.EQUAL, ("1",))),
        ("  A\n<>\t-1.5e3 ", Condition("a", Operator.NOT_EQUAL, ("-1.5e3",))),
        ('"We""ird; --" != true', Condition('We"ird; --', Operator.NOT_EQUAL, ("true",))),
        ('"A" < .5', Condition("A", Operator.LESS, (".5",))),
        ("größe >= 5", Condition("größe", Operator.GREATER_EQUAL, ("5",))),
        ("a LIKE 'it''s; /* $$ -- \\ \n'", Condition("a", Operator.LIKE, ("it's; /* $$ -- \\ \n",))),
        ("a ilike ''", Condition("a", Operator.ILIKE, ("",))),
        ("a in ('x' , 2,FALSE)", Condition("a", Operator.IN, ("x", "2", "false"))),
        ("a not  in('x')", Condition("a", Operator.NOT_IN, ("x",))),
        ("a Between 1 and 'b AND c'", Condition("a", Operator.BETWEEN, ("1", "b AND c"))),
        ("a is null", Condition("a", Operator.IS_NULL)),
        ("a IS NOT\nNULL", Condition("a", Operator.IS_NOT_NULL)),
        ("between between 'and' and 'or'", Condition("between", Operator.BETWEEN, ("and", "or"))),
    ],
)
def test_a_string_is_one_condition(written: str, condition: Condition) -> None:
    assert parse_condition(written) == condition


@pytest.mark.parametrize(
    ("written", "place", "said"),
    [
        ("", 1, "column"),
        ("5 = a", 1, "column"),
        ("'a' = 5", 1, "column"),
        ('"" = 5', 1, "column"),
        ("a", 2, "operator"),
        ("a == 5", 3, "operator"),
        ("a => 5", 3, "operator"),
        ("a ~ 'x'", 3, "operator"),
        ("a NOT LIKE 'x'", 7, "operator"),
        ("a IS DISTINCT FROM 5", 6, "operator"),
        ("a =", 4, "value"),
        ("a = b", 5, "value"),
        ("a = NULL", 5, "NULL"),
        ("a IN (NULL)", 7, "NULL"),
        ("a IN ()", 7, "value"),
        ("a IN ('x', )", 12, "value"),
        ("a IN 'x'", 6, "list"),
        ("a IN ('x'", 10, "`,` or"),
        ("a = 'x", 5, "value"),
        ("a = 5x", 5, "value"),
        ("a = 1.2.3", 5, "value"),
        ("a = --5", 5, "comments"),
        ("a BETWEEN 1", 12, "two values"),
        ("a BETWEEN 1 OR 2", 13, "two values"),
        ("a = 1; DROP TABLE t", 6, "statement"),
        ("a = 1 -- x", 7, "comments"),
        ("a/**/= 1", 2, "comments"),
        ("a = $$x$$", 5, "dollar"),
        ("a = $1", 5, "dollar"),
        ("a = (SELECT 1)", 5, "sub-queries"),
        ("a IN (SELECT 1)", 7, "value"),
        ("lower(a) = 'x'", 6, "functions"),
        ("(a = 1)", 1, "parentheses"),
        ("a = now()", 5, "value"),
        ("a = E'\\x'", 5, "value"),
        ("a = U&'x'", 5, "value"),
        ("a = DATE '2026-01-01'", 5, "value"),
        ("a = 'x' 'y'", 9, "end here"),
        ("a = 'x'::text", 8, "end here"),
        ("a = 1 AND b = 2", 7, "end here"),
        ("a = 1 OR true", 7, "end here"),
        ("a IS NULL OR true", 11, "end here"),
        ("t.a = 1", 2, "without its table"),
        ("NOT a = 1", 5, "operator"),
        ("a = 'x' COLLATE \"C\"", 9, "end here"),
    ],
)
def test_a_string_that_is_not_one_condition_is_refused_where_it_ceases_to_be_one(
    written: str, place: int, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^character {place}: .*{re.escape(said)}") as caught:
        parse_condition(written)
    assert caught.value.code == "FILTER_INVALID"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ({"column": "A b", "operator": "=", "value": "x"}, Condition("A b", Operator.EQUAL, ("x",))),
        ({"column": "a", "operator": "not  in", "value": [1, -2.5, True, "x"]},
         Condition("a", Operator.NOT_IN, ("1", "-2.5", "true", "x"))),
        ({"column": "a", "operator": "between", "value": [10**30, 1e-7]},
         Condition("a", Operator.BETWEEN, ("1" + "0" * 30, "1e-07"))),
        ({"column": "a", "operator": "IS NULL"}, Condition("a", Operator.IS_NULL)),
        ({"column": "a", "operator": "is not null", "value": None}, Condition("a", Operator.IS_NOT_NULL)),
        ({"column": "a", "operator": "<>", "value": 1.0}, Condition("a", Operator.NOT_EQUAL, ("1.0",))),
    ],
)  # fmt: skip
def test_an_object_is_one_condition(written: dict[str, Any], condition: Condition) -> None:
    assert parse_condition(written) == condition


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value": None}, "NULL"),
        ({"value": {"a": 1}}, "a string, a number or a boolean"),
        ({"value": ["x"]}, "a string, a number or a boolean"),
        ({"value": 0.1 + 0.2}, "lost digits"),
        ({"value": "a\0b"}, "cannot hold"),
        ({"value": "\ud800"}, "cannot hold"),
        ({"value": "x" * (MAX_CHARACTERS + 1)}, "too long"),
        ({"value": 10**5000 * 10**6000}, "too long"),
        ({"operator": "REGEXP"}, "operator"),
        ({"operator": "= 1 OR"}, "operator"),
        ({"operator": None}, "must be given"),
        ({"operator": "IS NULL", "value": 1}, "no value"),
        ({"operator": "IN", "value": "x"}, "list"),
        ({"operator": "IN", "value": []}, "1 to"),
        ({"operator": "IN", "value": ["x"] * (MAX_VALUES + 1)}, "1 to"),
        ({"operator": "IN", "value": [None]}, "NULL"),
        ({"operator": "BETWEEN", "value": [1]}, "two values"),
        ({"operator": "BETWEEN", "value": [1, 2, 3]}, "two values"),
        ({"column": ""}, "empty"),
        ({"column": 5}, "must be given"),
        ({"sql": "1 = 1"}, "more than"),
    ],
)
def test_an_object_that_is_not_one_condition_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        parse_condition({"column": "a", "operator": "=", "value": "x"} | changed)
    assert caught.value.code == "FILTER_INVALID"
    assert caught.value.remedy


@given(TEXTS.filter(bool), st.sampled_from(Operator), st.lists(TEXTS, min_size=2, max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_condition_is_what_its_string_and_its_object_say(column: str, operator: Operator, texts: list[str]) -> None:
    if operator in NULL_TESTS:
        texts = []
    elif operator is Operator.BETWEEN:
        texts = texts[:2]
    elif operator not in LISTS:
        texts = texts[:1]
    condition = Condition(column, operator, tuple(texts))
    assert parse_condition(str(condition)) == condition
    assert parse_condition(condition.as_object()) == condition


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    for written in (text, f"a = '{text}"):
        with suppress(ConfigurationError):
            condition = parse_condition(written)
            assert parse_condition(str(condition)) == condition


def test_a_list_says_which_filter_is_wrong() -> None:
    assert parse_filters([]) == ()
    assert len(parse_filters(["a = 1", {"column": "b", "operator": "IS NULL"}])) == 2
    with pytest.raises(ConfigurationError, match=r"^filter 2: character 5: "):
        parse_filters(["a = 1", "b = ;"])
    with pytest.raises(ConfigurationError, match=f"at most {MAX_CONDITIONS}"):
        parse_filters(["a = 1"] * (MAX_CONDITIONS + 1))
    with pytest.raises(ConfigurationError, match=r"^filter 1: "):
        parse_filters([5])  # type: ignore[list-item]


def test_an_error_does_not_quote_the_value() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_condition("a = 'hidden' x")
    assert "hidden" not in f"{caught.value.message}{caught.value.remedy}"

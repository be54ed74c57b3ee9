"""How a condition is worked out on a whole column of text, whatever works it out.

Values arrive as PostgreSQL prints them, and most types print so that their order can be read off the bytes: digits
before the point (or of the year) are counted, then compared from the left. So a numeric of any precision and a
timestamp of any age are compared exactly, and nothing but integers and floats has to be parsed.

Logic is three-valued, as in SQL: NULL in, NULL out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from rosetta.filters.condition import NULL_TESTS, PATTERNS, Operator
from rosetta.filters.folding import folded
from rosetta.filters.kinds import Kind
from rosetta.filters.row_filter import TypedCondition

T = TypeVar("T")
Constant = str | int | float
Sign = Literal["=", "<", ">"]

# Behind every digit, before every letter: text below it begins with a digit or a minus.
_BEHIND_DIGITS = ":"


class Logic(ABC, Generic[T]):
    """Operations on columns of truth: true, false or NULL."""

    @abstractmethod
    def is_null(self, values: T) -> T: ...

    @abstractmethod
    def both(self, one: T, other: T) -> T: ...

    @abstractmethod
    def either(self, one: T, other: T) -> T: ...

    @abstractmethod
    def negated(self, truth: T) -> T: ...


class Algebra(Logic[T]):
    """Operations on columns, of text unless it says otherwise. Text is compared byte by byte."""

    @abstractmethod
    def compare(self, values: T, sign: Sign, constant: Constant) -> T: ...

    @abstractmethod
    def among(self, values: T, constants: Sequence[Constant]) -> T: ...

    @abstractmethod
    def like(self, values: T, pattern: str) -> T: ...

    @abstractmethod
    def folded(self, values: T) -> T:
        """A to Z in lower case."""

    @abstractmethod
    def unpadded(self, values: T) -> T:
        """Without the spaces at the end."""

    @abstractmethod
    def trimmed(self, values: T) -> T:
        """Without the zeros at the end of what follows a point, and without a point at the end."""

    @abstractmethod
    def place(self, values: T, sign: str) -> T:
        """How many characters stand before the first `sign`; where there is none, how many there are."""

    @abstractmethod
    def integers(self, values: T) -> T: ...

    @abstractmethod
    def floats(self, values: T, *, single_precision: bool) -> T:
        """Numbers, among which NaN need not be comparable."""


# Operators that are the opposite of another one (BETWEEN, of lying outside): NULL stays NULL.
_OPPOSITES = frozenset(
    {
        *(Operator.NOT_EQUAL, Operator.NOT_IN, Operator.GREATER_EQUAL, Operator.LESS_EQUAL),
        *(Operator.BETWEEN, Operator.IS_NOT_NULL),
    }
)


def truth(algebra: Algebra[T], condition: TypedCondition, column: T) -> T:
    """Whether each value of the column meets the condition: true, false or NULL."""
    if condition.operator in NULL_TESTS:
        found = algebra.is_null(column)
    elif condition.operator in PATTERNS:
        found = _like(algebra, condition, column)
    else:
        found = _compared(algebra, condition, _order(algebra, condition.kind, column))
    return algebra.negated(found) if condition.operator in _OPPOSITES else found


def _compared(algebra: Algebra[T], condition: TypedCondition, order: _Order[T]) -> T:
    values = condition.values
    match condition.operator:
        case Operator.LESS | Operator.GREATER_EQUAL:
            return order.below(values[0])
        case Operator.GREATER | Operator.LESS_EQUAL:
            return order.above(values[0])
        case Operator.BETWEEN:
            return algebra.either(order.below(values[0]), order.above(values[1]))
    return order.among(values)


def _like(algebra: Algebra[T], condition: TypedCondition, column: T) -> T:
    (pattern,) = condition.values
    if condition.kind is Kind.PADDED:
        column = algebra.unpadded(column)
    if condition.operator is Operator.ILIKE:
        column, pattern = algebra.folded(column), folded(pattern)
    return algebra.like(column, pattern)


class _Order(Generic[T]):
    """The order of one kind of value; this one is that of the bytes."""

    def __init__(self, algebra: Algebra[T], column: T) -> None:
        self._algebra = algebra
        self._column = column

    def among(self, values: Sequence[str]) -> T:
        return _among(self._algebra, self._column, values)

    def below(self, value: str) -> T:
        return self._algebra.compare(self._column, "<", value)

    def above(self, value: str) -> T:
        return self._algebra.compare(self._column, ">", value)

    def _never(self) -> T:
        return self._algebra.compare(self._column, "<", "")

    def _not(self, value: str) -> T:
        return self._algebra.negated(self._algebra.compare(self._column, "=", value))


class _IntegerOrder(_Order[T]):
    def among(self, values: Sequence[str]) -> T:
        return _among(self._algebra, self._column, [int(value) for value in values])

    def below(self, value: str) -> T:
        return self._algebra.compare(self._column, "<", int(value))

    def above(self, value: str) -> T:
        return self._algebra.compare(self._column, ">", int(value))


class _FloatOrder(_Order[T]):
    """NaN equals itself, and is greater than all else."""

    def __init__(self, algebra: Algebra[T], column: T, *, single_precision: bool) -> None:
        super().__init__(algebra, column)
        self._numbers = algebra.floats(column, single_precision=single_precision)

    def among(self, values: Sequence[str]) -> T:
        nan, numbers = "NaN" in values, [float(value) for value in values if value != "NaN"]
        is_nan = self._algebra.compare(self._column, "=", "NaN")
        if not numbers:
            return is_nan
        found = self._algebra.both(self._algebra.negated(is_nan), _among(self._algebra, self._numbers, numbers))
        return self._algebra.either(is_nan, found) if nan else found

    def below(self, value: str) -> T:
        if value == "NaN":
            return self._not("NaN")
        return self._algebra.both(self._not("NaN"), self._algebra.compare(self._numbers, "<", float(value)))

    def above(self, value: str) -> T:
        if value == "NaN":
            return self._never()
        is_nan = self._algebra.compare(self._column, "=", "NaN")
        return self._algebra.either(is_nan, self._algebra.compare(self._numbers, ">", float(value)))


class _CountedOrder(_Order[T]):
    """Values that begin with a number whose digits must be counted before they are compared.

    What is not finite is ordered by its bytes: minus signs lie below every digit, the letters of `Infinity`, `NaN`
    and `infinity` behind every digit.
    """

    def __init__(self, algebra: Algebra[T], column: T, sign: str) -> None:
        super().__init__(algebra, column)
        self._sign = sign
        self._place = algebra.place(column, sign)

    def _counted(self, column: T, sign: Sign, value: str) -> T:
        """More (`>`) or fewer (`<`) digits, or as many and behind or before `value`; of values with its minus sign."""
        place = _place(value, self._sign)
        as_many = self._algebra.compare(self._place, "=", place)
        same = self._algebra.both(as_many, self._algebra.compare(column, sign, value))
        return self._algebra.either(self._algebra.compare(self._place, sign, place), same)

    def _minus(self) -> T:
        return self._algebra.compare(self._column, "<", "0")

    def _digit(self) -> T:
        """A digit or a minus comes first."""
        return self._algebra.compare(self._column, "<", _BEHIND_DIGITS)


class _NumericOrder(_CountedOrder[T]):
    def __init__(self, algebra: Algebra[T], column: T) -> None:
        super().__init__(algebra, column, ".")
        self._trimmed = algebra.trimmed(column)

    def among(self, values: Sequence[str]) -> T:
        return _among(self._algebra, self._trimmed, values)

    def below(self, value: str) -> T:
        algebra = self._algebra
        match value:
            case "NaN":
                return self._not("NaN")
            case "Infinity":
                return self._digit()
            case "-Infinity":
                return self._never()
        if value.startswith("-"):
            finite = algebra.both(self._finite_minus(), self._counted(self._trimmed, ">", value))
            return algebra.either(algebra.compare(self._column, "=", "-Infinity"), finite)
        # zeros at the end put no value behind one that it is less than
        return algebra.either(self._minus(), algebra.both(self._digit(), self._counted(self._column, "<", value)))

    def above(self, value: str) -> T:
        algebra = self._algebra
        match value:
            case "NaN":
                return self._never()
            case "Infinity":
                return algebra.compare(self._column, "=", "NaN")
            case "-Infinity":
                return self._not("-Infinity")
        plus = algebra.negated(self._minus())
        if value.startswith("-"):
            finite = algebra.both(self._finite_minus(), self._counted(self._column, "<", value))
            return algebra.either(plus, finite)
        finite = algebra.both(plus, self._counted(self._trimmed, ">", value))
        return algebra.either(algebra.compare(self._column, ">", _BEHIND_DIGITS), finite)

    def _finite_minus(self) -> T:
        return self._algebra.compare(self._column, "<", f"-{_BEHIND_DIGITS}")


class _InstantOrder(_CountedOrder[T]):
    """Dates and timestamps. Years BC run backwards, what follows the year does not."""

    def __init__(self, algebra: Algebra[T], column: T) -> None:
        super().__init__(algebra, column, "-")

    def below(self, value: str) -> T:
        algebra = self._algebra
        match value:
            case "infinity":
                return self._not("infinity")
            case "-infinity":
                return self._never()
        if value.endswith(" BC"):
            within = algebra.both(self._same_year(value), algebra.compare(self._column, "<", value))
            other = algebra.both(algebra.negated(self._same_year(value)), self._counted(self._column, ">", value))
            return algebra.either(self._minus(), algebra.both(self._bc(), algebra.either(within, other)))
        earlier = algebra.either(self._bc(), self._counted(self._column, "<", value))
        return algebra.either(self._minus(), algebra.both(self._digit(), earlier))

    def above(self, value: str) -> T:
        algebra = self._algebra
        match value:
            case "infinity":
                return self._never()
            case "-infinity":
                return self._not("-infinity")
        if value.endswith(" BC"):
            within = algebra.both(self._same_year(value), algebra.compare(self._column, ">", value))
            other = algebra.both(algebra.negated(self._same_year(value)), self._counted(self._column, "<", value))
            later = algebra.either(algebra.negated(self._bc()), algebra.either(within, other))
        else:
            later = algebra.both(algebra.negated(self._bc()), self._counted(self._column, ">", value))
        finite = algebra.both(algebra.negated(self._minus()), later)
        return algebra.either(algebra.compare(self._column, ">", _BEHIND_DIGITS), finite)

    def _bc(self) -> T:
        return self._algebra.like(self._column, "% BC")

    def _same_year(self, value: str) -> T:
        return self._algebra.like(self._column, f"{value[: _place(value, '-')]}-%")


def _order(algebra: Algebra[T], kind: Kind, column: T) -> _Order[T]:
    match kind:
        case Kind.PADDED:
            return _Order(algebra, algebra.unpadded(column))
        case Kind.INTEGER:
            return _IntegerOrder(algebra, algebra.integers(column))
        case Kind.NUMERIC:
            return _NumericOrder(algebra, column)
        case Kind.REAL | Kind.DOUBLE:
            return _FloatOrder(algebra, column, single_precision=kind is Kind.REAL)
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return _InstantOrder(algebra, column)
        case _:
            return _Order(algebra, column)


def _among(algebra: Algebra[T], column: T, values: Sequence[Constant]) -> T:
    return algebra.compare(column, "=", values[0]) if len(values) == 1 else algebra.among(column, values)


def _place(value: str, sign: str) -> int:
    at = value.find(sign)
    return len(value) if at < 0 else at

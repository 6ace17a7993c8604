"""Translation of one SELECT's expressions by a table of node types; other nodes are rejected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.scope import Scope
from resources.sandbox.netsuite.suiteql.typed import Typed, comparable
from resources.sandbox.netsuite.switches import NetSuiteSwitches

# translates a nested SELECT to its SQL with the type of its first column
Nested = Callable[[exp.Expr, Scope], Typed]
# translates one node of a certain class
Write = Callable[["Writer", Any], Typed]


@dataclass(frozen=True)
class Writer:
    """Translator of one SELECT's expressions."""

    scope: Scope
    nested: Nested
    table: Mapping[type[exp.Expr], "Write"]

    @property
    def switches(self) -> NetSuiteSwitches:
        """The account's switches."""
        return self.scope.switches

    def write(self, node: exp.Expr) -> Typed:
        """Translate an expression.

        Raises:
            ApiError: SuiteQL does not support it, or it names something unknown.
        """
        writer = self.table.get(type(node))
        if not writer:
            raise unsupported(f"{type(node).__name__} is not supported")
        return writer(self, node)

    def sql(self, node: exp.Expr) -> str:
        """Translate an expression to SQL."""
        return self.write(node).sql

    def condition(self, node: exp.Expr) -> str:
        """Translate a condition to SQL; in Oracle a value is not a condition.

        Raises:
            ApiError: The expression is a value.
        """
        written = self.write(node)
        if written.kind != "condition":
            raise unsupported("value instead of a condition")
        return written.sql

    def value(self, node: exp.Expr) -> Typed:
        """Translate a value; in Oracle a condition is not a value.

        Raises:
            ApiError: The expression is a condition.
        """
        written = self.write(node)
        if written.kind == "condition":
            raise unsupported("condition instead of a value")
        return written

    def pair(self, first: exp.Expr, second: exp.Expr) -> tuple[str, str]:
        """Translate both sides of a comparison."""
        return comparable(self.value(first), self.value(second), self.switches.ambiguous_hour)

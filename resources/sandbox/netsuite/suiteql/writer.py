"""What writes one SELECT's expressions: looks up the function for each kind of node, nothing else passes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from resources.sandbox.netsuite.refusal import unsupported
from resources.sandbox.netsuite.suiteql.scope import Scope
from resources.sandbox.netsuite.suiteql.typed import Typed, comparable
from resources.sandbox.netsuite.switches import NetSuiteSwitches

# translates a nested SELECT: its SQL and the type of its first column
Nested = Callable[[exp.Expr, Scope], Typed]
# translates one node; each takes its own class of node
Write = Callable[["Writer", Any], Typed]


@dataclass(frozen=True)
class Writer:
    """Writes the expressions of one SELECT."""

    scope: Scope
    nested: Nested
    table: Mapping[type[exp.Expr], "Write"]

    @property
    def switches(self) -> NetSuiteSwitches:
        """How this account behaves."""
        return self.scope.switches

    def write(self, node: exp.Expr) -> Typed:
        """One expression.

        Raises:
            Refusal: SuiteQL does not support it, or it names something unknown.
        """
        writer = self.table.get(type(node))
        if not writer:
            raise unsupported(f"{type(node).__name__} is not supported")
        return writer(self, node)

    def sql(self, node: exp.Expr) -> str:
        """One expression, as text."""
        return self.write(node).sql

    def condition(self, node: exp.Expr) -> str:
        """Something true or false; to Oracle no value is that.

        Raises:
            Refusal: It is a value.
        """
        written = self.write(node)
        if written.kind != "condition":
            raise unsupported("a value where a condition belongs")
        return written.sql

    def value(self, node: exp.Expr) -> Typed:
        """A value; to Oracle no condition is one.

        Raises:
            Refusal: It is a condition.
        """
        written = self.write(node)
        if written.kind == "condition":
            raise unsupported("a condition where a value belongs")
        return written

    def pair(self, first: exp.Expr, second: exp.Expr) -> tuple[str, str]:
        """Both sides of a comparison."""
        return comparable(self.value(first), self.value(second), self.switches.ambiguous_hour)

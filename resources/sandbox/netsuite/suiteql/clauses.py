"""Clauses of one SELECT: its conditions, its own nodes, its row limit."""

from collections.abc import Iterator

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """Yield the parts of a condition that AND joins."""
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    elif condition is not None:
        yield condition


def own_nodes(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the nodes of an expression, without those of a nested SELECT."""
    for each in node.walk(prune=lambda inner: isinstance(inner, exp.Query)):
        if not isinstance(each, exp.Query):
            yield each


def own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns of an expression, without those of a nested SELECT."""
    return (each for each in own_nodes(node) if isinstance(each, exp.Column))


def has_rownum(node: exp.Expr) -> bool:
    """Return whether an expression uses ROWNUM."""
    return any(each.name.lower() == "rownum" and not each.table for each in own_columns(node))


def assigns_rownum(select: exp.Select) -> bool:
    """Return whether a SELECT uses ROWNUM."""
    clauses = [*select.expressions, select.args.get("where"), select.args.get("order")]
    return any(has_rownum(each) for each in clauses if each is not None)


def has_aggregate(select: exp.Select) -> bool:
    """Return whether the output has an aggregate function that is not OVER a window."""
    found = (each for item in select.expressions for each in own_nodes(item))
    return any(isinstance(each, exp.AggFunc) and not isinstance(each.parent, exp.Window) for each in found)


def has_window(select: exp.Select) -> bool:
    """Return whether the output has a function OVER a window."""
    return any(isinstance(each, exp.Window) for item in select.expressions for each in own_nodes(item))


def has_implicit_direction(order: exp.Order) -> bool:
    """Return whether a term has neither ASC nor DESC."""
    return any(each.args.get("desc") is None for each in order.expressions)


def limit_sql(node: exp.Expr) -> str:
    """Return the LIMIT of FETCH FIRST n ROWS ONLY; empty without one.

    Raises:
        ApiError: The statement has another kind of limit.
    """
    limit = node.args.get("limit")
    if node.args.get("offset"):
        raise unsupported("OFFSET is not supported")
    if limit is None:
        return ""
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else None
    if not isinstance(count, exp.Literal) or count.is_string:
        raise unsupported("FETCH FIRST takes a number")
    return f" LIMIT {int(str(count.this))}"

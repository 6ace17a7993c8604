"""Parse YAML of people's files within limits: whatever it contains, it is parsed quickly or refused with its line.

text  ->  events: depth, tags  ->  nodes: keys, aliases  ->  content and root node, or a yaml.YAMLError
"""

from typing import Any

import yaml

MAX_DEPTH = 50
MAX_NODES = 100_000  # with every alias written out
STR = "tag:yaml.org,2002:str"


def compose(text: str, loader: type[yaml.SafeLoader]) -> tuple[Any, yaml.Node | None]:
    """Return the content of a text and its root node; None if it is empty.

    Raises:
        yaml.YAMLError: The text is not YAML, or is nested or repeated beyond the limits.
    """
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error(f"nested too deeply; at most {MAX_DEPTH} levels of brackets or indentation", event)
        if getattr(event, "tag", None) not in {None, "!", STR}:
            raise _error("a value with a tag (`!…`); put quotes around it, or remove the tag", event)
    composer = loader(text)
    try:
        root: yaml.Node | None = composer.get_single_node()
        if root is None:
            return None, None
        _Size().of(root)
        return composer.construct_document(root), root
    finally:
        composer.dispose()


class _Size:
    """Counts the nodes below each node; those of an alias as often as it is used."""

    def __init__(self) -> None:
        self._known: dict[yaml.Node, tuple[int, int]] = {}
        self._open: set[yaml.Node] = set()

    def of(self, node: yaml.Node) -> tuple[int, int]:
        """Return the number of nodes and levels."""
        if node not in self._known:
            if node in self._open:
                raise _error("an alias (`*…`) within its own anchor", node)
            self._open.add(node)
            sizes = [self.of(child) for child in _children(node)]
            nodes, depth = 1 + sum(each for each, _ in sizes), 1 + max((each for _, each in sizes), default=0)
            if nodes > MAX_NODES or depth > MAX_DEPTH:
                raise _error("aliases (`*…`) that repeat too much", node)
            self._open.remove(node)
            self._known[node] = nodes, depth
        return self._known[node]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error("braces or brackets as a key; put quotes around a text that begins with them", key)
    return [value for _, value in node.value]


def _error(problem: str, node: yaml.Event | yaml.Node) -> yaml.YAMLError:
    mark: Any = node.start_mark  # the stubs do not know that both parsers' marks are alike
    return yaml.constructor.ConstructorError(None, None, problem, mark)

"""Every recipe of the cookbook is valid and decides as the page says, on the records that the page shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.cookbook import Kitchen, Recipe, recipes

RECIPES = {each.name: each for each in recipes()}
# one of each kind is planned by `make test`, all by `make test-all`
QUICK = ("suiteprojects__customers", "suiteprojects__categories", "suiteprojects__regions", "precoro__sub_customers")
CASES = [pytest.param(each, id=name, marks=[] if name in QUICK else pytest.mark.long) for name, each in RECIPES.items()]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """The examples, for recipes that need no other workflow; they only plan."""
    with Kitchen(tmp_path_factory.mktemp("kitchen")) as made:
        yield made


def test_every_recipe_is_valid(kitchen: Kitchen) -> None:
    """Its names, columns and fields exist; no two recipes have one name."""
    assert [kitchen.load(each).name for each in recipes()] == list(RECIPES)
    assert len(RECIPES) >= 25


@pytest.mark.parametrize("recipe", CASES)
def test_a_recipe_does_what_its_page_says(recipe: Recipe, kitchen: Kitchen, tmp_path: Path) -> None:
    """One that needs other workflows runs after these, in an account of its own."""
    upstream = kitchen.load(recipe).spec.upstream
    if not upstream:
        assert_as_shown(recipe, kitchen)
        return
    with Kitchen(tmp_path) as own:
        for name in upstream:
            own.deliver(RECIPES[name])
        assert_as_shown(recipe, own)


def assert_as_shown(recipe: Recipe, kitchen: Kitchen) -> None:
    """Compare a recipe's decisions, and its guards, with the page."""
    planned, _ = kitchen.plan(recipe)

    assert kitchen.results(recipe, [*recipe.results[0]][2:]) == recipe.results
    assert [each.guard for each in planned.tripped] == [*recipe.guards]

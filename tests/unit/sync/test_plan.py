"""Plans: carried out, they make the destination as the source is, and touch nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.sync import Filter
from gateway.sync.filters import compile_filters
from gateway.sync.manifest import Item
from gateway.sync.model import Action, ActionKind, Plan
from gateway.sync.plan import Work, make_plan, paired

paths = st.text(alphabet="abü/\U0001f600", min_size=1, max_size=4)
trees = st.dictionaries(paths, st.sampled_from(["", "1", "2", "long"]), max_size=12)
filters = st.lists(st.builds(Filter, st.text(alphabet="ab*?/[]", min_size=1, max_size=4), st.booleans()), max_size=4)


def manifest(tree: dict[str, str]) -> list[Item]:
    return [Item(path, len(tree[path]), etags=(tree[path],)) for path in sorted(tree, key=lambda path: path.encode())]


def same_content(wanted: Item, present: Item) -> bool:
    return wanted.etags == present.etags


def planned(source: dict[str, str], destination: dict[str, str], rules: list[Filter], *, delete: bool) -> Work:
    takes_part = compile_filters(rules)
    return make_plan(
        (item for item in manifest(source) if takes_part(item.path)),
        (item for item in manifest(destination) if takes_part(item.path)),
        same_content,
        delete=delete,
    )


@given(trees, trees, filters, st.booleans())
def test_a_plan_makes_the_destination_as_the_source(
    source: dict[str, str], destination: dict[str, str], rules: list[Filter], delete: bool
) -> None:
    work = planned(source, destination, rules, delete=delete)
    result = dict(destination)
    for item in work.transfers:
        result[item.path] = source[item.path]
    for action in work.deletions:
        del result[action.path]
    takes_part = compile_filters(rules)
    for path in source.keys() | destination.keys():
        if not takes_part(path):
            assert result.get(path) == destination.get(path)
        elif path in source or delete:
            assert result.get(path) == source.get(path)
        else:
            assert result[path] == destination[path]


@given(trees, trees, st.booleans())
def test_a_plan_says_what_is_done_and_no_more(
    source: dict[str, str], destination: dict[str, str], delete: bool
) -> None:
    work = planned(source, destination, [], delete=delete)
    kinds = {action.path: action.kind for action in work.plan.actions}
    assert len(kinds) == len(work.plan.actions), "each path once"
    for path, kind in kinds.items():
        assert (kind is ActionKind.ADD) == (path in source and path not in destination)
        assert (kind is ActionKind.DELETE) == (path not in source)
        assert source.get(path) != destination.get(path)
    assert work.plan.unchanged == sum(destination.get(path) == content for path, content in source.items())
    assert [item.path for item in work.transfers] == [action.path for action in work.plan.actions][
        : len(work.transfers)
    ]
    assert [path for path, kind in kinds.items() if kind is not ActionKind.DELETE] == [
        path for path in sorted(source) if source[path] != destination.get(path)
    ]


@given(trees)
def test_nothing_is_to_be_done_where_both_are_the_same(tree: dict[str, str]) -> None:
    assert planned(tree, tree, [], delete=True).plan == Plan([], len(tree))


@given(trees, trees)
def test_pairs_are_in_order_and_complete(left: dict[str, str], right: dict[str, str]) -> None:
    found = [
        (one.path if one else None, two.path if two else None) for one, two in paired(manifest(left), manifest(right))
    ]
    assert [one or two for one, two in found] == sorted(left.keys() | right.keys())
    assert {one for one, _ in found if one} == set(left)
    assert {two for _, two in found if two} == set(right)


def test_contents_are_compared_only_where_the_sizes_are_equal() -> None:
    asked: list[str] = []

    def ask(wanted: Item, present: Item) -> bool:
        asked.append(wanted.path)
        return True

    work = make_plan([Item("a", 1), Item("b", 2)], [Item("a", 1), Item("b", 3), Item("c", 4)], ask, delete=False)
    assert asked == ["a"]
    assert work.plan == Plan([Action(ActionKind.CHANGE, "b", 2)], unchanged=1)


def test_what_is_no_file_counts_nothing_when_it_is_deleted() -> None:
    assert make_plan([], [Item("link", -1)], same_content, delete=True).plan.actions == [
        Action(ActionKind.DELETE, "link", 0)
    ]


def test_nothing_is_deleted_at_or_below_what_could_not_be_looked_at() -> None:
    present = {"a": "1", "dir/deep/x": "1", "dir/y": "1", "dirt": "1", "z": "1"}
    work = planned({}, present, [], delete=True).sparing({"dir", "z"})
    assert [action.path for action in work.deletions] == ["a", "dirt"]

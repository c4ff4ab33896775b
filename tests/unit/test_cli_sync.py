"""`caret sync`: what its arguments mean. What it does is tested with a gateway."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.main import main
from gateway.cli.sync_options import FilteringCommand, Rate
from gateway.cli.sync_sides import Endpoints, Ends, Location, Sides, WrongSide, parse_ends, parse_location, resolve
from gateway.cli.sync_told import Lines
from gateway.client import Credentials, Reach
from gateway.sync import Bucket, Failure, FailureKind, Filter, Folder, Outcome, Progress, State

NAMES = st.text(alphabet="abö .*[", min_size=1, max_size=5).filter(lambda name: name not in (".", ".."))
OURS = Reach("http://127.0.0.1:9000", Credentials("our-key", "our-secret"))


def lands(ends: Ends, inner: str) -> str:
    """Where the rule puts what lies at `inner` in the source."""
    assert ends.only in (None, inner)
    return str(Location(ends.destination.bucket, ends.destination.path + inner))


def of_text(source: str, destination: str, **facts: bool) -> Ends:
    facts = {"is_file": False, "is_folder": False, **facts}
    return parse_ends(parse_location(source), parse_location(destination), **facts)


# ---------------------------------------------------------------- the trailing slash


@given(
    st.lists(NAMES, min_size=1, max_size=3),
    st.booleans(),
    st.lists(NAMES, max_size=3),
    st.booleans(),
    st.sampled_from(["", "/", "s3://bucket/"]),
    st.sampled_from(["", "s3://bucket/"]),
)
def test_without_a_slash_the_folders_name_comes_along(
    source: list[str], is_inside: bool, destination: list[str], ends_in_slash: bool, origin: str, target: str
) -> None:
    given_source = origin + "/".join(source) + ("/" if is_inside else "")
    given_destination = target + "/".join(destination) + ("/" if ends_in_slash and destination else "")
    if not given_destination:
        given_destination = "."
    ends = of_text(given_source, given_destination)
    begin = target if target or destination else "./"
    comes_along = [] if is_inside else source[-1:]
    assert lands(ends, "f") == begin + "/".join([*destination, *comes_along, "f"])
    assert str(ends.source) == origin + "/".join(source) + "/"


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(NAMES, max_size=2), st.sampled_from(["", "s3://bucket/"]))
def test_a_single_file_keeps_its_name(source: list[str], destination: list[str], origin: str) -> None:
    into = "s3://other/" + "".join(f"{name}/" for name in destination)
    text = origin + "/".join(source)
    inside, itself = of_text(text, into, is_file=True), of_text(text, into + source[-1], is_file=True)
    assert inside == itself
    assert lands(inside, source[-1]) == into + source[-1]
    assert inside.source.path == "".join(f"{name}/" for name in source[:-1])


@pytest.mark.parametrize("source", [".", "..", "a/..", "a/.", "/", "s3://bucket", "s3://bucket/"])
def test_what_has_no_name_brings_what_is_in_it(source: str) -> None:
    assert lands(of_text(source, "s3://photos/p"), "f") == "s3://photos/p/f"


def test_a_file_does_not_take_another_name() -> None:
    with pytest.raises(WrongSide, match=r"s3://photos/p/ puts it there as s3://photos/p/tom.jpg"):
        of_text("cats/tom.jpg", "s3://photos/p", is_file=True)


def test_a_file_goes_into_a_folder_that_is_there_without_a_slash_too() -> None:
    assert lands(of_text("s3://photos/tom.jpg", "here", is_file=True, is_folder=True), "tom.jpg") == "here/tom.jpg"
    assert lands(of_text("s3://photos/a", "a", is_file=True, is_folder=True), "a") == "a/a"
    assert lands(of_text("s3://photos/a", "a", is_file=True), "a") == "a"


def test_keys_may_begin_with_a_slash_or_have_several() -> None:
    assert lands(of_text("s3://photos//a//", "s3://b//"), "f") == "s3://b//f"
    assert of_text("s3://photos//a//", "s3://b//").source.path == "/a//"


def test_no_bucket_and_no_path_are_told() -> None:
    for text in ("s3://", "s3:///key", ""):
        with pytest.raises(WrongSide):
            parse_location(text)


# ---------------------------------------------------------------- sides


def endpoints(environ: Mapping[str, str] | None = None, **elsewhere: str) -> Endpoints:
    return Endpoints(environ or {}, lambda: OURS, {"FROM": None, "TO": None, **elsewhere})


def sides(source: str | Path, destination: str | Path, **elsewhere: str) -> Sides:
    keys = {"CARET_TO_ACCESS_KEY": "their-key", "CARET_TO_SECRET_KEY": "their-secret"}
    return resolve(str(source), str(destination), endpoints(keys, **elsewhere))


def test_a_folder_and_a_bucket_of_this_gateway(tmp_path: Path) -> None:
    found = sides(tmp_path, "s3://photos/album")
    assert found.source == Folder(tmp_path)
    assert found.destination == Bucket(OURS, "photos", f"album/{tmp_path.name}/")
    assert found.filters == ()


def test_a_single_file_is_chosen_by_its_name_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a[1]*.txt").touch()
    found = sides(tmp_path / "a[1]*.txt", "s3://photos")
    assert found.source == Folder(tmp_path)
    assert found.filters == (Filter("*", is_included=False), Filter("a[[]1][*].txt", is_included=True))


def test_this_gateways_keys_go_nowhere_else(tmp_path: Path) -> None:
    found = sides(f"{tmp_path}/", "s3://a.b.c/p", TO="https://s3.example.org")
    assert isinstance(found.destination, Bucket)
    assert not found.destination.is_ours
    assert found.destination.reach == Reach("https://s3.example.org", Credentials("their-key", "their-secret"))
    with pytest.raises(WrongSide, match="set CARET_TO_ACCESS_KEY and CARET_TO_SECRET_KEY"):
        resolve(str(tmp_path), "s3://photos", endpoints(OURS.environment(), TO="https://s3.example.org"))


def test_the_gateway_need_not_be_known_where_it_is_not_asked(tmp_path: Path) -> None:
    def unknown() -> Reach:
        raise AssertionError("nobody knows it")

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    alone = Endpoints({}, unknown, {"FROM": None, "TO": None})
    assert resolve(f"{tmp_path}/a/", f"{tmp_path}/b", alone).destination == Folder(tmp_path / "b")


def test_a_region_and_a_session_of_the_other_endpoint(tmp_path: Path) -> None:
    environ = {f"CARET_TO_{name}": name.lower() for name in ("ACCESS_KEY", "SECRET_KEY", "SESSION_TOKEN", "REGION")}
    found = resolve(str(tmp_path), "s3://b", endpoints(environ, TO="https://s3.example.org")).destination
    assert isinstance(found, Bucket)
    assert found.reach.credentials == Credentials("access_key", "secret_key", "session_token")
    assert found.reach.region == "region"


@pytest.mark.parametrize(
    ("source", "destination", "elsewhere", "told"),
    [
        ("{here}/none", "s3://photos", {}, "there is no"),
        ("/dev/null", "s3://photos", {}, "neither a folder nor a file"),
        ("{here}", "s3://head-3.main.photos/p", {}, r"past state.* s3://main\.photos/p is the branch"),
        ("{here}", "s3://Photos", {}, "no bucket's name"),
        ("{here}", "s3://", {}, "names no bucket"),
        ("{here}", "{here}/inner", {}, "in one another"),
        ("{here}/inner", "{here}/../{name}/", {}, "in one another"),
        ("s3://photos/a/", "s3://photos/", {}, "in one another"),
        ("{here}", "folder", {"TO": "https://s3.example.org"}, "--to-endpoint is for buckets"),
        ("{here}", "s3://photos", {"TO": "s3.example.org"}, "--to-endpoint: .*not an endpoint"),
    ],
)
def test_what_cannot_be_meant(
    source: str, destination: str, elsewhere: dict[str, str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    known = {"here": tmp_path, "name": tmp_path.name}
    with pytest.raises(WrongSide, match=told):
        sides(source.format(**known), destination.format(**known), **elsewhere)


def test_what_is_remembered_is_not_synced_itself(tmp_path: Path) -> None:
    found = sides(f"{tmp_path}/", "s3://photos")
    assert found.sparing(tmp_path / "state" / "sync.db") == (Filter("state/sync.db*", is_included=False),)
    assert found.sparing(Path(os.sep) / "elsewhere") == ()


# ---------------------------------------------------------------- options


@given(
    st.one_of(
        st.integers(1, 10**12).map(str),
        st.decimals(1, 10**6, places=2, allow_nan=False).map(lambda value: f"{value:f}"),
    ),
    st.sampled_from([("", 1), ("k", 1024), ("M", 1024**2), ("G", 1024**3)]),
)
def test_rates_are_in_units_of_1024(number: str, unit: tuple[str, int]) -> None:
    assert Rate().convert(number + unit[0], None, None) == float(number) * unit[1]


@given(st.text() | st.from_regex(r"[0-9.]{0,5}[kMGK]?", fullmatch=True))
def test_any_other_text_is_no_rate(text: str) -> None:
    with contextlib.suppress(click.BadParameter):
        assert Rate().convert(text, None, None) >= 1


@pytest.mark.parametrize("text", ["0", "0.5", "-1", "10K", "10MB", "1e6", "", "M", "1" * 400])
def test_no_rates(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Rate().convert(text, None, None)


@given(st.lists(st.tuples(st.booleans(), NAMES, st.booleans())))
def test_filters_keep_their_order_across_both_options(given: list[tuple[bool, str, bool]]) -> None:
    found: list[Filter] = []

    @click.command("sync", cls=FilteringCommand, example="")
    @click.option("--exclude", multiple=True)
    @click.option("--include", multiple=True)
    @click.option("--message")
    def command(filters: list[Filter], message: str) -> None:
        found.extend(filters)

    arguments = ["--message", "--exclude"]
    for is_included, pattern, is_joined in given:
        option = "--include" if is_included else "--exclude"
        arguments += [f"{option}={pattern}"] if is_joined else [option, pattern]
    command.main(arguments, standalone_mode=False)
    assert found == [Filter(pattern, is_included) for is_included, pattern, _ in given]


# ---------------------------------------------------------------- what is told


def test_lines_say_now_and_then_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for every_s, told in ((0.0, 2), (60.0, 0)):
        with Lines(is_dry=False, every_s=every_s) as lines:
            for done in (1, 2):
                lines.advanced(Progress(done, 4, done * 4096, 4 * 4096, "path"))
        said = capsys.readouterr().err.splitlines()
        assert len(said) == told
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        (State.FAILED, "run it again to go on with the rest, or with --partial"),
        (State.CHANGED, "run it again when it is at rest, or with --partial"),
        (State.CANCELLED, "run it again to go on from here"),
    ],
)
def test_what_to_do_next_is_told(state: State, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    Lines(is_dry=False).ended(Outcome(state=state), is_partial=False)
    told = capsys.readouterr()
    assert told.out.startswith(f"{state.value}: 0 transferred")
    assert hint in told.err


def test_a_refusals_reason_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Lines(is_dry=False).ended(Outcome(state=State.REFUSED, reason="the branch is protected"), is_partial=False)
    assert capsys.readouterr().err == "Error: the branch is protected\n"


def test_names_do_not_reach_the_terminal_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Lines(is_dry=False).failed(Failure("a\x1b[2J\udcff", FailureKind.FAILED, "why"))
    assert capsys.readouterr().err == "failed: a\\x1b[2J\\udcff: why\n"


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none", "s3://photos"), "there is no none"),
        (("album", "s3://head-1.main.photos"), "past state"),
        (("album", "album/cats"), "lie in one another"),
        (("album", "s3://photos", "--checksum", "--size-only"), "exclude one another"),
        (("album", "s3://photos", "--max-delete", "1"), "give both"),
        (("album", "s3://photos", "--watch", "--dry-run"), "give one of them"),
        (("s3://head-1.main.photos/", "out", "--watch"), "tells of no change"),
        (("album/tom.jpg", "s3://photos/p"), "keeps its name: s3://photos/p/ puts it there"),
        (("album/tom.jpg", "s3://photos", "--delete"), "is a single file"),
        (("album", "s3://photos", "--limit-rate", "fast"), "is no rate"),
        (("album", "s3://photos", "--jobs", "0"), "--jobs"),
        (("album",), "Missing argument 'DST'"),
    ],
)
def test_wrong_usage_leaves_with_2_before_anybody_is_asked(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "album" / "cats").mkdir(parents=True)
    (tmp_path / "album" / "tom.jpg").touch()
    monkeypatch.chdir(tmp_path)
    reach = replace(OURS, endpoint="http://127.0.0.1:1").environment()
    done = CliRunner(env=reach).invoke(main, ["sync", *arguments])
    assert done.exit_code == 2, done.output
    assert told in " ".join(done.output.split())


def test_help_says_the_rule_and_the_codes() -> None:
    said = " ".join(CliRunner().invoke(main, ["sync", "--help"]).output.split())
    assert "`dir/` only what is in it" in said
    assert "4 where it was refused; 130 and 143" in said

"""Who gets which session from STS: the rules, on a directory whose clock stands still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from gateway.access.credentials import AccessKey, Credentials, Secret
from gateway.access.directory import Directory
from gateway.access.keyring import Credential, Keyring
from gateway.access.model import DAY_S, HOUR_S, ProjectPolicy
from gateway.access.principals import Accounts
from gateway.access.rights import Right
from gateway.config import Account
from gateway.handlers.sts import Caller, TokenService
from gateway.sts.errors import NO_CODE, WRONG_CODE, WRONG_DEVICE, AccessDenied, StsError, ValidationError
from gateway.sts.operations import (
    AssumedRole,
    AssumeRole,
    GetCallerIdentity,
    GetSessionToken,
    Identity,
    Issued,
    Role,
    SecondFactor,
    SessionToken,
)

from .conftest import Clock

TWO_FACTORS = ProjectPolicy(requires_session=True)


@dataclass
class World:
    """ann may import and export in `p11`, which asks for two factors, and is a member of `lab`, which does not."""

    directory: Directory
    clock: Clock
    service: TokenService
    keyring: Keyring
    totp: pyotp.TOTP
    keys: dict[str, str]
    numbers: dict[str, str]

    def caller(self, access_key: str) -> Caller:
        found = self.keyring.find(access_key)
        assert found is not None
        return Caller(found, "192.0.2.1")

    def code(self) -> str:
        """The next one that was not used yet."""
        self.clock.forward(30)
        return self.totp.at(self.clock.now_us // 1_000_000)

    def factor(self) -> SecondFactor:
        return SecondFactor("ann", self.code())

    def role(self, right: str, project: str) -> AssumeRole:
        return AssumeRole(Role(self.numbers[project], right), "laptop")

    def ask(self, request: GetSessionToken | AssumeRole, access_key: str) -> Issued:
        answer = self.service.answer(request, self.caller(access_key))
        assert isinstance(answer, SessionToken | AssumedRole)
        return answer.issued

    def identity(self, access_key: str) -> Identity:
        answer = self.service.answer(GetCallerIdentity(), self.caller(access_key))
        assert isinstance(answer, Identity)
        return answer

    def refusal(self, request: GetSessionToken | AssumeRole, access_key: str) -> StsError:
        with pytest.raises(StsError) as refused:
            self.service.answer(request, self.caller(access_key))
        return refused.value

    def held(self, issued: Issued) -> Credential:
        return self.caller(issued.access_key).credential

    def lasts_s(self, issued: Issued) -> int:
        now = datetime.fromtimestamp(self.clock.now_us / 1_000_000, UTC)
        return round((issued.expires - now) / timedelta(seconds=1))


@pytest.fixture
def world(directory: Directory, clock: Clock) -> World:
    directory.create_user("ann")
    for project, policy, rights in (
        ("p11", TWO_FACTORS, (Right.IMPORT, Right.EXPORT)),
        ("lab", ProjectPolicy(), (Right.MEMBER,)),
    ):
        directory.create_project(project, policy)
        for right in rights:
            directory.grant(project, "ann", right)
    accounts = Accounts(
        Credentials(AccessKey("root-key"), Secret("root-secret")),
        [Account(access_key="config-key", secret_key="config-secret", id="carl", display_name="Carl")],
    )
    return World(
        directory,
        clock,
        TokenService(directory),
        Keyring(accounts, directory, clock=lambda: clock.now_us / 1_000_000),
        pyotp.TOTP(directory.enrol_totp("ann")),
        {project: directory.create_key(project, "ann").key.access_key for project in ("p11", "lab")},
        {project.name: project.number for project in directory.projects()},
    )


# ---------------------------------------------------------------- GetSessionToken


def test_a_session_token_has_all_the_rights_of_the_keys_project(world: World) -> None:
    issued = world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])
    held = world.held(issued)
    assert held.principal.project == "p11"
    assert held.principal.rights == {Right.IMPORT, Right.EXPORT}
    assert held.is_proven
    assert world.lasts_s(issued) == HOUR_S


def test_a_project_of_two_factors_asks_for_a_code(world: World) -> None:
    refused = world.refusal(GetSessionToken(), world.keys["p11"])
    assert (type(refused), refused.detail) == (AccessDenied, NO_CODE)
    assert world.directory.sessions() == []


def test_elsewhere_a_code_may_be_left_out(world: World) -> None:
    assert not world.held(world.ask(GetSessionToken(), world.keys["lab"])).is_proven
    assert world.held(world.ask(GetSessionToken(factor=world.factor()), world.keys["lab"])).is_proven


def test_wrong_and_replayed_codes_are_refused_alike(world: World) -> None:
    used = world.factor()
    world.ask(GetSessionToken(factor=used), world.keys["p11"])
    wrong = replace(used, code=f"{(int(used.code) + 1) % 1_000_000:06d}")
    refusals = [world.refusal(GetSessionToken(factor=factor), world.keys["p11"]) for factor in (used, wrong)]
    assert [(refused.code, refused.detail) for refused in refusals] == [("AccessDenied", WRONG_CODE)] * 2


def test_a_wrong_code_is_refused_where_none_is_needed(world: World) -> None:
    used = world.factor()
    world.ask(GetSessionToken(factor=used), world.keys["lab"])
    assert world.refusal(GetSessionToken(factor=used), world.keys["lab"]).detail == WRONG_CODE


def test_whoever_guesses_is_told_when_to_come_back(world: World) -> None:
    guess = SecondFactor("ann", "000000")
    for _ in range(5):
        assert world.refusal(GetSessionToken(factor=guess), world.keys["p11"]).retry_s is None
    right = SecondFactor("ann", world.totp.at(world.clock.now_us // 1_000_000))
    refused = world.refusal(GetSessionToken(factor=right), world.keys["p11"])
    assert (refused.code, refused.retry_s) == ("AccessDenied", 30)
    assert refused.detail.startswith(WRONG_CODE)
    world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])


def test_anothers_device_is_refused_and_counts_as_no_attempt_of_his(world: World) -> None:
    world.directory.create_user("bob")
    for _ in range(6):
        refused = world.refusal(GetSessionToken(factor=SecondFactor("bob", "000000")), world.keys["p11"])
        assert refused.detail == WRONG_DEVICE
    world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])


def test_a_session_gives_no_session_token(world: World) -> None:
    session = world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])
    refused = world.refusal(GetSessionToken(factor=world.factor()), session.access_key)
    assert (refused.code, refused.detail) == ("AccessDenied", "Cannot call GetSessionToken with session credentials")


def test_who_has_lost_all_rights_gets_no_session(world: World) -> None:
    world.directory.revoke("lab", "ann", Right.MEMBER)
    assert world.refusal(GetSessionToken(), world.keys["lab"]).code == "AccessDenied"


@pytest.mark.parametrize("access_key", ["root-key", "config-key"])
def test_accounts_of_the_configuration_get_no_sessions(world: World, access_key: str) -> None:
    for request in (GetSessionToken(), world.role("member", "default")):
        refused = world.refusal(request, access_key)
        assert refused.code == "AccessDenied"
        assert "configuration" in refused.detail


def test_a_user_who_is_called_root_is_not_taken_for_the_one_of_the_configuration(world: World) -> None:
    world.directory.create_user("root")
    world.directory.grant("default", "root", Right.ADMIN)
    assert world.refusal(GetSessionToken(), "root-key").code == "AccessDenied"


# ---------------------------------------------------------------- durations


@pytest.mark.parametrize(
    ("longest_s", "asked_s", "lasts_s"),
    [
        (12 * HOUR_S, None, HOUR_S),
        (12 * HOUR_S, 900, 900),
        (12 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S),
        (900, None, 900),
        (7 * DAY_S, 7 * DAY_S, 7 * DAY_S),  # longer than AWS's own limits
    ],
)
def test_the_projects_policy_says_how_long_sessions_last(
    world: World, longest_s: int, asked_s: int | None, lasts_s: int
) -> None:
    world.directory.set_policy("lab", ProjectPolicy(max_session_s=longest_s))
    assert world.lasts_s(world.ask(GetSessionToken(duration_s=asked_s), world.keys["lab"])) == lasts_s
    role = replace(world.role("member", "lab"), duration_s=asked_s)
    assert world.lasts_s(world.ask(role, world.keys["lab"])) == lasts_s


def test_longer_than_the_policy_is_refused_before_the_code_is_used(world: World) -> None:
    factor = world.factor()
    for request in (GetSessionToken(factor=factor), replace(world.role("import", "p11"), factor=factor)):
        assert isinstance(
            world.refusal(replace(request, duration_s=12 * HOUR_S + 1), world.keys["p11"]), ValidationError
        )
    world.ask(GetSessionToken(factor=factor), world.keys["p11"])


# ---------------------------------------------------------------- AssumeRole


def test_a_role_is_exactly_one_right(world: World) -> None:
    issued = world.ask(replace(world.role("import", "p11"), factor=world.factor()), world.keys["p11"])
    held = world.held(issued)
    assert (held.principal.project, held.assumed) == ("p11", "import/laptop")
    assert held.principal.rights == {Right.IMPORT}


def test_a_key_of_one_project_assumes_roles_in_another(world: World) -> None:
    refused = world.refusal(world.role("export", "p11"), world.keys["lab"])
    assert refused.detail == NO_CODE
    issued = world.ask(replace(world.role("export", "p11"), factor=world.factor()), world.keys["lab"])
    assert (world.held(issued).principal.project, world.held(issued).is_proven) == ("p11", True)


def test_a_project_that_is_not_there_is_refused_as_one_without_the_right(world: World) -> None:
    factor = world.factor()
    asked = [
        world.role("admin", "p11"),
        world.role("member", "default"),
        AssumeRole(Role("999999999999", "import"), "laptop"),
    ]
    for request in asked:
        refused = world.refusal(replace(request, factor=factor), world.keys["p11"])
        who = f"arn:aws:iam::{world.numbers['p11']}:user/ann"
        assert refused.code == "AccessDenied"
        assert refused.detail == f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {request.role}"
    world.ask(GetSessionToken(factor=factor), world.keys["p11"])  # the code was not used up


# ---------------------------------------------------------------- roles from sessions


def test_a_session_assumes_a_role_of_its_project_without_a_code(world: World) -> None:
    session = world.ask(GetSessionToken(factor=world.factor(), duration_s=6 * HOUR_S), world.keys["p11"])
    issued = world.ask(world.role("import", "p11"), session.access_key)
    assert world.lasts_s(issued) == HOUR_S
    assert world.held(issued).is_proven
    too_long = replace(world.role("import", "p11"), duration_s=HOUR_S + 1)
    assert world.refusal(too_long, session.access_key).code == "ValidationError"


def test_sessions_from_sessions_never_outlive_the_first(world: World) -> None:
    first = world.ask(GetSessionToken(factor=world.factor(), duration_s=HOUR_S), world.keys["p11"])
    world.clock.forward(3000)
    second = world.ask(world.role("import", "p11"), first.access_key)
    world.clock.forward(300)
    third = world.ask(world.role("import", "p11"), second.access_key)
    assert first.expires == second.expires == third.expires


def test_no_right_is_won_back_through_a_role(world: World) -> None:
    narrow = world.ask(replace(world.role("import", "p11"), factor=world.factor()), world.keys["p11"])
    assert world.refusal(world.role("export", "p11"), narrow.access_key).detail == NO_CODE
    world.ask(replace(world.role("export", "p11"), factor=world.factor()), narrow.access_key)


def test_a_session_of_another_project_needs_a_code(world: World) -> None:
    session = world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])
    assert world.refusal(world.role("member", "lab"), session.access_key).detail == NO_CODE
    world.ask(replace(world.role("member", "lab"), factor=world.factor()), session.access_key)


def test_a_code_given_afresh_lifts_the_limits_of_a_session_before(world: World) -> None:
    session = world.ask(GetSessionToken(factor=world.factor(), duration_s=900), world.keys["p11"])
    asked = replace(world.role("import", "p11"), factor=world.factor(), duration_s=6 * HOUR_S)
    assert world.lasts_s(world.ask(asked, session.access_key)) == 6 * HOUR_S


def test_a_session_without_a_code_proves_nothing_once_the_project_asks_for_one(world: World) -> None:
    session = world.ask(GetSessionToken(), world.keys["lab"])
    world.directory.set_policy("lab", TWO_FACTORS)
    world.clock.forward(2)
    assert world.refusal(world.role("member", "lab"), session.access_key).detail == NO_CODE


# ---------------------------------------------------------------- GetCallerIdentity


def test_everybody_learns_who_he_is(world: World) -> None:
    number, default = world.numbers["p11"], world.numbers["default"]
    ann = world.directory.user("ann").canonical_id
    user = Identity(f"arn:aws:iam::{number}:user/ann", ann, number)
    session = world.ask(GetSessionToken(factor=world.factor()), world.keys["p11"])
    role = world.ask(world.role("export", "p11"), session.access_key)
    assert world.identity(world.keys["p11"]) == user
    assert world.identity(session.access_key) == user
    assert world.identity(role.access_key) == Identity(
        f"arn:aws:sts::{number}:assumed-role/export/laptop", f"{ann}:laptop", number
    )
    assert world.identity("root-key").arn == f"arn:aws:iam::{default}:root"
    assert world.identity("config-key").arn == f"arn:aws:iam::{default}:user/Carl"

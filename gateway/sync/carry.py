"""What a job does: mirrors its folder in its bucket, or deletes the bucket where there was no folder.

A bucket of this gateway is deleted in two steps, so that nothing is lost: one commit that removes all of its keys, then
the branch, which can be restored for the retention time; the commit before its head then has everything. Whatever a
job does can be done again, so that another process can go on with it from any point.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass

from gateway.access.vault import VaultError
from gateway.client import Client, Credentials, Reach, Refusal, Unreachable
from gateway.client.connection import Connection
from gateway.config import Config
from gateway.s3.bucket import parse_bucket
from gateway.sync.control import Control
from gateway.sync.faults import Cancelled, SyncFault
from gateway.sync.job import Ending, Job, JobState
from gateway.sync.jobs import Jobs
from gateway.sync.memory import Memory
from gateway.sync.model import Bucket, Folder, Options, Outcome, Progress, State, SyncError
from gateway.sync.objects import MOST_DELETIONS, Objects
from gateway.sync.remote import connect
from gateway.sync.run import synchronise
from gateway.sync.sources import BadSource, NoUploads, find_source, is_without_files
from gateway.sync.targets import BadTarget, check_address
from gateway.sync.worker import Run

MEMORY = "sync.db"
_START_S = 60.0  # how long a gateway may take that starts together with its console
_MISSING = frozenset({"NoSuchRepo", "NoSuchBranch", "NoSuchBucket"})
_RECENT = 10  # commits among which one is looked for that an earlier process of the same job has made


@dataclass(frozen=True)
class Carrier:
    """Carries jobs out, as `gateway.sync.worker` has it. `root` is who this gateway is asked as without credentials."""

    config: Config
    jobs: Jobs
    root: Credentials

    def __call__(self, job: Job, run: Run) -> Ending:
        try:
            bucket = self._bucket(job)
            source = self._source(job)
            if not bucket.is_ours:
                check_address(self.config, bucket.reach.endpoint, job.address or "")
            else:
                _await_gateway(bucket, run)
            if job.deletes:
                return _Deletion(job, bucket, run, Control(run.should_stop)).run()
            return self._mirror(job, source, bucket, run)
        except Cancelled:
            return Ending(state=JobState.CANCELLED)
        except BadSource as exc:
            return _error(f"The source {exc}.")
        except (SyncError, SyncFault, Refusal, Unreachable, NoUploads, BadTarget, VaultError) as exc:
            return _error(str(exc))

    def _bucket(self, job: Job) -> Bucket:
        """Raises VaultError."""
        credentials = self.jobs.credentials(job)
        config = self.config
        if not job.storage_url:
            reach = Reach(config.endpoint, credentials or self.root, config.region, certificate=config.tls_cert)
            return Bucket(reach, job.dest)
        if credentials is None:  # root's go nowhere else
            raise SyncError("there are no credentials for another endpoint")
        return Bucket(Reach(job.storage_url, credentials, config.region), job.dest, is_ours=False, address=job.address)

    def _source(self, job: Job) -> Folder:
        """As it was when the job was asked for: absent or empty, or not. Raises BadSource, NoUploads, SyncError."""
        if self.config.uploads is None:
            raise NoUploads("The setting uploads, the folder that jobs read from, is not set.")
        source = find_source(self.config.uploads, job.source)
        if job.deletes and not self.config.sync_deletes_bucket:
            raise SyncError("The source is absent or empty, and sync_deletes_bucket is off: nothing was done.")
        if job.deletes != is_without_files(source):
            state = "has files" if job.deletes else "is absent or empty"
            raise SyncError(f"The source {state} by now, unlike when the job was asked for: nothing was done.")
        return source

    def _mirror(self, job: Job, source: Folder, bucket: Bucket, run: Run) -> Ending:
        """Raises SyncError."""
        options = Options(delete=True, wait_s=job.wait_s, message=_message(job))
        with Memory.open(self.config.data / MEMORY) as memory:
            outcome = synchronise(source, bucket, options, memory, observer=run, should_stop=run.should_stop)
        if outcome.state is State.CANCELLED:
            return Ending(state=JobState.CANCELLED)
        if outcome.state is State.DONE:
            commit_id = outcome.commit_id or (_earlier_commit(job, bucket, run) if bucket.is_ours else None)
            return Ending(state=JobState.SUCCESS, commit_id=commit_id)
        return _error(_why(outcome, bucket))


def _message(job: Job) -> str:
    if job.deletes:
        return f"Job {job.id}: {job.source} is absent or empty, so the bucket is deleted"
    return f"Job {job.id}: {job.source}"


def _error(reason: str) -> Ending:
    return Ending(state=JobState.ERROR, reason=reason)


def _why(outcome: Outcome, bucket: Bucket) -> str:
    if outcome.state is State.REFUSED:
        return outcome.reason
    count = len(outcome.failures)
    files = "1 file" if count == 1 else f"{count} files"
    what = "changed while being read" if outcome.state is State.CHANGED else "could not be transferred"
    first = f" ({outcome.failures[0].path}: {outcome.failures[0].reason})" if outcome.failures else ""
    kept = "; the bucket is as it was" if bucket.is_ours else "; nothing was deleted"
    return ": ".join(filter(None, (outcome.reason, f"{files} {what}{first}{kept}.")))


def _await_gateway(bucket: Bucket, run: Run) -> None:
    """Raises SyncError where it does not answer for long, Cancelled."""
    with closing(connect(bucket, 1)) as connection:
        control = Control(run.should_stop, first_patience_s=_START_S)
        control.persist(lambda: connection.send("GET", "/-/readyz"))


def _earlier_commit(job: Job, bucket: Bucket, run: Run) -> str | None:
    """The commit of this job that a process made which then was killed. Raises Refusal, SyncError."""
    name = parse_bucket(bucket.bucket)
    with closing(connect(bucket, 1)) as connection:
        client, control = Client(bucket.reach, connection), Control(run.should_stop)
        try:
            found = control.persist(lambda: client.log(name.repo, branch=name.branch, limit=_RECENT))
        except Refusal as exc:
            if exc.code in _MISSING:
                return None  # an empty folder makes no bucket
            raise
    return next((commit.id for commit in found.commits if commit.message == _message(job)), None)


@dataclass
class _Deletion:
    """Of a bucket with all that it holds. One that is not there is deleted."""

    job: Job
    bucket: Bucket
    observer: Run
    control: Control

    def run(self) -> Ending:
        """Raises Cancelled, SyncError, SyncFault, Refusal."""
        with closing(connect(self.bucket, 1)) as connection:
            try:
                if self.bucket.is_ours:
                    self._delete_here(connection)
                else:
                    self._delete_elsewhere(connection)
            except Refusal as exc:
                if exc.code not in _MISSING:
                    raise
        return Ending(state=JobState.SUCCESS)

    def _delete_here(self, connection: Connection) -> None:
        client, persist = Client(self.bucket.reach, connection), self.control.persist
        name = parse_bucket(self.bucket.bucket)
        branch = name.branch or persist(lambda: client.default_branch(name.repo))
        head = persist(lambda: client.get_branch(name.repo, branch)).head.id
        commit_id = self._commit_deletions(connection, client, name.repo, branch)
        if commit_id is not None:
            self.observer.keep_commit(commit_id)
        persist(lambda: client.delete_branch(name.repo, branch, expected_head=commit_id or head))

    def _commit_deletions(self, connection: Connection, client: Client, repo: str, branch: str) -> str | None:
        """The commit's id; None where there was nothing to delete."""
        persist = self.control.persist
        begun = persist(lambda: client.begin_transaction(repo, branch, message=_message(self.job)))
        try:
            self._delete_objects(Objects(connection, begun.bucket, self.control, signs=False))
            return persist(lambda: client.commit_transaction(repo, begun.id)).commit_id
        except BaseException as exc:
            if (
                isinstance(exc, Refusal) and exc.details.get("state") == "committed"
            ):  # by a request whose answer was lost
                return str(exc.details["commit_id"]) if exc.details["commit_id"] else None
            with suppress(Refusal, Unreachable):  # then it ends by itself, later
                client.abandon_transaction(repo, begun.id)
            raise

    def _delete_elsewhere(self, connection: Connection) -> None:
        objects = Objects(connection, self.bucket.bucket, self.control, signs=True)
        self._delete_objects(objects)
        self.control.persist(lambda: connection.send("DELETE", f"/{self.bucket.bucket}"))

    def _delete_objects(self, objects: Objects) -> None:
        """With a wait between file operations one by one."""
        keys = [item.path for item in objects.list("")]
        step = 1 if self.job.wait_s else MOST_DELETIONS
        for at in range(0, len(keys), step):
            self.observer.advanced(Progress(at, len(keys), 0, 0, keys[at]))
            self.control.wait(self.job.wait_s if at else 0)
            failed = objects.delete(keys[at : at + step])
            if failed:
                path, reason = next(iter(failed.items()))
                raise SyncError(f"{len(failed)} objects could not be deleted ({path}: {reason}).")
        self.observer.advanced(Progress(len(keys), len(keys), 0, 0))

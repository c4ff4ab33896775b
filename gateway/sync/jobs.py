"""Sync jobs in SQL: asked for, carried out by one console process at a time, kept when they have ended.

Processes that share the database share its jobs. One that carries a job out holds it by a lease and renews that; when
the lease is over the job is anybody's who looks. So each job goes on when its process was killed, and none is carried
out twice at a time. Whoever lost his lease notices at his next write: `note` and `finish` then do nothing. Machines'
clocks should agree to within a part of a lease.

A destination has one running job at a time. Credentials that were given with a job are sealed, and wiped when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, func, insert, null, or_, select, update

from gateway.access.vault import Vault
from gateway.client import Credentials
from gateway.sync.job import Ending, Job, JobState, NewJob, TargetBusy, UnknownJob
from gateway.sync.model import Failure, FailureKind, Progress
from gateway.sync.tables import jobs
from pfs.sql import Connection, Database, Row, Statement

LEASE_S = 6.0
_MOST_FAILURES = 100  # that are kept of a job
_LONGEST_REASON = 2000


_J = jobs.c
_columns = (
    *(_J.id, _J.state, _J.source, _J.dest, _J.storage_url, _J.address, _J.deletes, _J.wait_s, _J.who),
    *(_J.created_us, _J.started_us, _J.ended_us),
    *(_J.files_done, _J.files_total, _J.bytes_done, _J.bytes_total, _J.path, _J.failed, _J.failures),
    *(_J.commit_id, _J.reason, _J.cancelled),
)
_is_running = _J.state == JobState.RUNNING.value
_this_job = _J.id == bindparam("job")
_is_mine = (_J.holder == bindparam("me")) & _is_running
_is_free = or_(_J.holder.is_(None), _J.lease_us <= bindparam("now"))

_FIND = Statement(select(*_columns).where(_this_job))
_RUNNING = Statement(select(*_columns).where(_is_running).order_by(_J.id))
_page = select(*_columns).where(_J.id < bindparam("before")).order_by(_J.id.desc()).limit(bindparam("count"))
_PAGE = Statement(_page)
_PAGE_OF_STATE = Statement(_page.where(_J.state == bindparam("in_state")))
_LAST_ID = Statement(select(func.coalesce(func.max(_J.id), 0)))
_BUSY = Statement(select(_J.id).where(_is_running, _J.target == bindparam("at")))
_INSERT = Statement(
    insert(jobs).values(
        {
            name: bindparam(name)
            for name in (
                *("id", "state", "source", "dest", "storage_url", "target", "address", "deletes", "wait_s", "who"),
                *("credentials", "created_us", "holder", "lease_us"),
            )
        }
    )
)
_CREDENTIALS = Statement(select(_J.credentials).where(_this_job))
_CLAIMABLE = Statement(select(_J.id).where(_is_running, or_(_is_free, _J.holder == bindparam("me"))).order_by(_J.id))
_CLAIM = Statement(
    update(jobs)
    .where(_this_job)
    .values(
        holder=bindparam("me"), lease_us=bindparam("until"), started_us=func.coalesce(_J.started_us, bindparam("now"))
    )
)
_RENEW = Statement(update(jobs).where(_is_mine).values(lease_us=bindparam("until")))
_HELD = Statement(select(_J.id, _J.cancelled).where(_is_mine))
_PUT_BACK = Statement(update(jobs).where(_is_mine).values(holder=null(), lease_us=0))
_NOTE = Statement(
    update(jobs)
    .where(_this_job, _is_mine)
    .values(
        {
            name: bindparam(name)
            for name in ("files_done", "files_total", "bytes_done", "bytes_total", "path", "failed", "failures")
        }
    )
)
_NOTE_COMMIT = Statement(update(jobs).where(_this_job, _is_mine).values(commit_id=bindparam("commit")))
_CANCEL = Statement(update(jobs).where(_this_job, _is_running).values(cancelled=1))
_UNATTENDED = Statement(select(_J.id).where(_this_job, _is_running, or_(_is_free, _J.started_us.is_(None))))
_END = Statement(
    update(jobs)
    .where(_this_job)
    .values(
        state=bindparam("ended_as"),
        ended_us=bindparam("now"),
        reason=bindparam("why"),
        commit_id=func.coalesce(bindparam("commit"), _J.commit_id),
        path="",
        credentials=null(),
        holder=null(),
        lease_us=0,
    )
)
_MINE = Statement(select(_J.id).where(_this_job, _is_mine))


class Jobs:
    """Synchronous, thread-safe. What changes something is on disk when it returns. Raises StoreError throughout.

    `now_us` is the clock: µs since the epoch. Holders are texts that no two processes share.
    """

    def __init__(
        self, database: Database, vault: Vault, now_us: Callable[[], int] | None = None, lease_s: float = LEASE_S
    ) -> None:
        self._database, self._vault = database, vault
        self._now_us = now_us or (lambda: time.time_ns() // 1000)
        self.lease_s = lease_s

    # ---------------------------------------------------------------- for whoever asks

    def create(self, new: NewJob, holder: str) -> Job:
        """A running job, for `holder` to begin with while he lives. Raises TargetBusy."""
        with self._database.transaction() as conn:
            busy = conn.one(_BUSY, at=new.target)
            if busy is not None:
                raise TargetBusy(busy[0])
            last = conn.one(_LAST_ID)
            assert last is not None
            job_id = last[0] + 1
            conn.run(
                _INSERT,
                id=job_id,
                state=JobState.RUNNING.value,
                source=new.source,
                dest=new.dest,
                storage_url=new.storage_url,
                target=new.target,
                address=new.address,
                deletes=int(new.deletes),
                wait_s=new.wait_s,
                who=new.who,
                credentials=self._seal(job_id, new.credentials),
                created_us=self._now_us(),
                holder=holder,
                lease_us=self._until_us(),
            )
            return _found(conn, job_id)

    def find(self, job_id: int) -> Job:
        """Raises UnknownJob."""
        with self._database.connection() as conn:
            return _found(conn, job_id)

    def running(self) -> Sequence[Job]:
        """The oldest first; also those that wait for their turn."""
        with self._database.connection() as conn:
            return [_job(row) for row in conn.all(_RUNNING)]

    def page(self, *, state: JobState | None = None, before: int | None = None, limit: int = 100) -> Sequence[Job]:
        """The newest first, those with smaller ids than `before`."""
        values = {"before": before if before is not None else 2**62, "count": limit}
        with self._database.connection() as conn:
            rows = (
                conn.all(_PAGE, **values) if state is None else conn.all(_PAGE_OF_STATE, **values, in_state=state.value)
            )
        return [_job(row) for row in rows]

    def cancel(self, job_id: int) -> Job:
        """Has it end: at once where nobody carries it out, else when its holder sees it. One that has ended stays as it
        is. Raises UnknownJob."""
        with self._database.transaction() as conn:
            _found(conn, job_id)
            conn.run(_CANCEL, job=job_id)
            if conn.one(_UNATTENDED, job=job_id, now=self._now_us()) is not None:
                self._end(conn, job_id, Ending(state=JobState.CANCELLED))
            return _found(conn, job_id)

    # ---------------------------------------------------------------- for whoever carries them out

    def claim(self, holder: str, others: Collection[int]) -> Job | None:
        """The oldest job that is nobody's, or the holder's but none of `others`; it is his from now on."""
        with self._database.connection() as conn:
            if not self._claimable(conn, holder, others):
                return None
        with self._database.transaction() as conn:
            found = self._claimable(conn, holder, others)
            if not found:
                return None
            conn.run(_CLAIM, job=found[0], me=holder, until=self._until_us(), now=self._now_us())
            return _found(conn, found[0])

    def renew(self, holder: str) -> Mapping[int, bool]:
        """The jobs that are his, for a further lease; whether each is to end."""
        with self._database.connection() as conn:
            if not conn.all(_HELD, me=holder):
                return {}
        with self._database.transaction() as conn:
            conn.run(_RENEW, me=holder, until=self._until_us())
            return {job_id: bool(cancelled) for job_id, cancelled in conn.all(_HELD, me=holder)}

    def put_back(self, holder: str) -> None:
        """Others may go on with what he had."""
        with self._database.transaction() as conn:
            conn.run(_PUT_BACK, me=holder)

    def credentials(self, job: Job) -> Credentials | None:
        """Those that were given with it; None for root's. Raises VaultError."""
        with self._database.connection() as conn:
            row = conn.one(_CREDENTIALS, job=job.id)
        if row is None or row[0] is None:
            return None
        return Credentials(*msgspec.json.decode(self._vault.open(bytes(row[0]), _purpose(job.id)), type=list[str]))

    def note(self, job_id: int, holder: str, progress: Progress, failures: Sequence[Failure]) -> bool:
        """Whether it is still his."""
        with self._database.transaction() as conn:
            return bool(
                conn.run(
                    _NOTE,
                    job=job_id,
                    me=holder,
                    files_done=progress.files_done,
                    files_total=progress.files_total,
                    bytes_done=progress.bytes_done,
                    bytes_total=progress.bytes_total,
                    path=_storable(progress.path),
                    failed=len(failures),
                    failures=_dump_failures(failures[:_MOST_FAILURES]),
                )
            )

    def note_commit(self, job_id: int, holder: str, commit_id: str) -> bool:
        """Keeps what it has come to so far; whether it is still his."""
        with self._database.transaction() as conn:
            return bool(conn.run(_NOTE_COMMIT, job=job_id, me=holder, commit=commit_id))

    def finish(self, job_id: int, holder: str, ending: Ending) -> bool:
        """Whether it was still his."""
        with self._database.transaction() as conn:
            if conn.one(_MINE, job=job_id, me=holder) is None:
                return False
            self._end(conn, job_id, ending)
            return True

    # ---------------------------------------------------------------- inside transactions

    def _end(self, conn: Connection, job_id: int, ending: Ending) -> None:
        conn.run(
            _END,
            job=job_id,
            ended_as=ending.state.value,
            now=self._now_us(),
            why=_storable(ending.reason)[:_LONGEST_REASON],
            commit=ending.commit_id,
        )

    def _claimable(self, conn: Connection, holder: str, others: Collection[int]) -> Sequence[int]:
        rows = conn.all(_CLAIMABLE, me=holder, now=self._now_us())
        return [job_id for (job_id,) in rows if job_id not in others]

    def _seal(self, job_id: int, credentials: Credentials | None) -> bytes | None:
        if credentials is None:
            return None
        pair = msgspec.json.encode([credentials.access_key, credentials.secret]).decode()
        return self._vault.seal(pair, _purpose(job_id))

    def _until_us(self) -> int:
        return self._now_us() + round(self.lease_s * 1_000_000)


def _purpose(job_id: int) -> str:
    return f"sync job {job_id}"


def _found(conn: Connection, job_id: int) -> Job:
    row = conn.one(_FIND, job=job_id)
    if row is None:
        raise UnknownJob(job_id)
    return _job(row)


def _job(row: Row) -> Job:
    job_id, state, source, dest, storage_url, address, deletes, wait_s, who, created_us, started_us, ended_us = row[:12]
    files_done, files_total, bytes_done, bytes_total, path, failed, failures, commit_id, reason, cancelled = row[12:]
    return Job(
        id=job_id,
        state=JobState(state),
        source=source,
        dest=dest,
        storage_url=storage_url,
        address=address,
        deletes=bool(deletes),
        wait_s=wait_s,
        who=who,
        created_us=created_us,
        started_us=started_us,
        ended_us=ended_us,
        progress=Progress(files_done, files_total, bytes_done, bytes_total, path),
        failed=failed,
        failures=[Failure(path, FailureKind(kind), why) for path, kind, why in msgspec.json.decode(failures)],
        commit_id=commit_id,
        reason=reason,
        is_cancelled=bool(cancelled),
    )


def _dump_failures(failures: Sequence[Failure]) -> str:
    rows = [(_storable(failure.path), failure.kind.value, _storable(failure.reason)) for failure in failures]
    return msgspec.json.encode(rows).decode()


def _storable(text: str) -> str:
    """Names of files may hold what no database takes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")

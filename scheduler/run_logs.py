"""A run's log, shipped in pieces by its holder.

Offsets count bytes of UTF-8 from the log's start. A piece that comes again is dropped, one that overlaps is trimmed.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.problems import invalid
from scheduler.rows import find_run, lock_run, require_holder
from scheduler.tables import RunLogRow
from shared.models import LogChunk, RunStatus

MAX_PIECE_BYTES = 1024 * 1024
MAX_LOG_BYTES = 64 * 1024 * 1024
#: Bytes answered to one request, at least one piece.
MAX_ANSWER_BYTES = 1024 * 1024
MAX_ANSWER_PIECES = 1000
_FULL = "\n[the log is longer than Interlock keeps; the worker's log file has the rest]\n"


def append(context: SchedulerContext, run_id: str, *, holder: str, offset: int, text: str) -> None:
    """Add a piece. Raises `ApiError` 400 for one that is too long and 409 `lease_lost` unless `holder` has the run.

    A log is bounded: what comes after the bound is dropped, and the log says so.
    """
    piece = text.encode()
    if len(piece) > MAX_PIECE_BYTES:
        raise invalid(f"a log piece of {len(piece)} bytes", f"send at most {MAX_PIECE_BYTES} at once")
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        end = _end(session, run_id)
        if offset < end:
            piece, offset = piece[end - offset :], end
        if not piece or end > MAX_LOG_BYTES:
            return
        if offset + len(piece) > MAX_LOG_BYTES:
            piece, offset = _FULL.encode(), MAX_LOG_BYTES
        session.add(
            RunLogRow(run_id=run_id, offset=offset, length=len(piece), text=_storable(piece.decode(errors="replace")))
        )


def read(context: SchedulerContext, run_id: str, *, offset: int) -> LogChunk:
    """The log from `offset` on, as much as one answer takes. Raises a 404."""
    with context.database.read() as session:
        run = find_run(session, run_id)
        mine = (RunLogRow.run_id == run_id, RunLogRow.offset + RunLogRow.length > offset)
        lengths = select(RunLogRow.offset, RunLogRow.length).where(*mine).order_by(RunLogRow.offset)
        # First the sizes, then the texts that fit: a log may be much longer than one answer.
        sizes = session.execute(lengths.limit(MAX_ANSWER_PIECES + 1)).all()
        end, size, taken = offset, 0, 0
        for piece_offset, length in sizes[:MAX_ANSWER_PIECES]:
            if size >= MAX_ANSWER_BYTES:
                break
            end, size, taken = piece_offset + length, size + length, taken + 1
        more = taken < len(sizes)
        pieces: list[str] = []
        position = offset
        for row in session.scalars(select(RunLogRow).where(*mine, RunLogRow.offset < end).order_by(RunLogRow.offset)):
            skipped = max(position - row.offset, 0)
            pieces.append(row.text.encode()[skipped:].decode(errors="replace") if skipped else row.text)
            position = row.offset + row.length
        complete = RunStatus(run.status).terminal and not more
        return LogChunk(text="".join(pieces), next_offset=position, complete=complete)


def _end(session: Session, run_id: str) -> int:
    query = select(func.max(RunLogRow.offset + RunLogRow.length)).where(RunLogRow.run_id == run_id)
    return session.scalar(query) or 0


def _storable(text: str) -> str:
    # PostgreSQL's text cannot hold NUL, and a program may print one.
    return text.replace("\0", "\N{SYMBOL FOR NULL}")

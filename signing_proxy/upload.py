"""A body that is passed on while it arrives, but for its last byte.

Without its last byte no upload is complete, and S3 makes an object of complete ones only. So the last byte is where a
streamed call is decided: the whole body has the hash that was signed for it, and the lease is live. A cut in the middle
takes nothing back, and need not.
"""

import hashlib
import hmac
from collections.abc import Callable

from signing_proxy.denial import Reason

MAX_BYTES = 5 << 30
"""The most that one PutObject or UploadPart takes (Amazon S3 quotas, "multipart upload limits")."""
MIN_BYTES = 1 << 20
"""Smaller bodies are not worth it: held in memory, they can still be refused with an answer."""


class Upload:
    """Goes into ``flow.request.stream``. Whatever speaks against the upload ends it for good: it passes nothing on."""

    def __init__(
        self,
        *,
        length: int,
        sha256: str | None,
        objection: Callable[[], str | None],
        completed: Callable[[], None],
        refused: Callable[[str, Reason], None],
    ) -> None:
        """``sha256`` is the hex hash that was signed; ``objection`` is asked at each chunk and before the last byte.

        Exactly one of ``completed`` (directly before the last byte is let go) and ``refused`` is called, once.
        """
        self._length = length
        self._expected = sha256
        self._hash = hashlib.sha256()
        self._objection = objection
        self._completed = completed
        self._refused = refused
        self._seen = 0
        self._last = b""
        self.over = False
        """Whether it is complete, or was ended."""

    def __call__(self, data: bytes) -> bytes:
        """What may be sent on now; empty data stands for the body's end (mitmproxy's convention)."""
        if self.over:
            return b""
        problem = self._objection()
        if problem is not None:
            return self._end(problem, Reason.SEVERED)
        if data:
            self._seen += len(data)
            if self._expected is not None:
                self._hash.update(data)
            passed, self._last = self._last + data[:-1], data[-1:]
            return passed
        if self._seen != self._length:
            return self._end(f"{self._seen} bytes of {self._length} came", Reason.SEVERED)
        if self._expected is not None and not hmac.compare_digest(self._hash.hexdigest(), self._expected):
            return self._end("the body is not what its SHA-256 says", Reason.PAYLOAD_MISMATCH)
        self.over = True
        self._completed()
        return self._last

    def stop(self) -> None:
        """Pass nothing on any more: the answer is there, or the call is over."""
        self.over = True

    def _end(self, why: str, reason: Reason) -> bytes:
        self.over = True
        self._refused(why, reason)
        return b""

"""The real credentials. They are read here, used by the signer, and given to nobody."""

import asyncio
from typing import Any, Protocol

import botocore.session
from botocore.exceptions import BotoCoreError

from shared.clock import Clock
from shared.errors import ConfigurationError
from signing_proxy.signers.aws import AwsCredentials

# botocore refreshes temporary credentials ten to fifteen minutes ahead of their end: asking twice a minute is plenty.
KEEP_MS = 30_000


class CredentialSource(Protocol):
    """Where the signer gets its key from."""

    async def current(self) -> AwsCredentials:
        """The key to sign with now. Raises ConfigurationError where there is none."""


class BotocoreCredentials:
    """botocore's chain: environment, shared files, web identity, container, instance role; refreshed by botocore."""

    def __init__(self, clock: Clock, session: Any = None) -> None:
        self._clock = clock
        self._session = session if session is not None else botocore.session.Session()
        self._kept: AwsCredentials | None = None
        self._kept_until_ms = 0

    async def current(self) -> AwsCredentials:
        """See CredentialSource. May ask a metadata service, in a thread."""
        now_ms = self._clock.boot_ms()
        if self._kept is None or now_ms >= self._kept_until_ms:
            self._kept = await asyncio.to_thread(self._read)
            self._kept_until_ms = now_ms + KEEP_MS
        return self._kept

    def _read(self) -> AwsCredentials:
        hint = "Give the proxy process credentials that botocore finds: environment, ~/.aws, or the host's role."
        try:
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        except BotoCoreError as error:
            raise ConfigurationError(f"the proxy's AWS credentials can't be read: {error}", hint=hint) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise ConfigurationError("the proxy has no AWS credentials", hint=hint)
        return AwsCredentials(access_key=frozen.access_key, secret_key=frozen.secret_key, token=frozen.token or None)

"""What somebody changes behind Terraform's back: one call of boto3 each, and the attributes that it changes.

Each is made on the corpus after its second revision. What the provider reads of it shows in the refreshed state; what
shows there has to be found (`tests.aws_corpus.injecting`). The parts are those of `../configuration`.
"""

from __future__ import annotations

from tests.aws_corpus.injections.access import access
from tests.aws_corpus.injections.compute import compute
from tests.aws_corpus.injections.messaging import messaging
from tests.aws_corpus.injections.network import network
from tests.aws_corpus.injections.row import GONE, Injection
from tests.aws_corpus.injections.storage import storage
from tests.aws_corpus.injections.tags import tags

__all__ = ["GONE", "Injection", "injections"]


def injections() -> list[Injection]:
    """All of them, in the order in which they are made."""
    return [*tags(), *access(), *compute(), *messaging(), *network(), *storage()]

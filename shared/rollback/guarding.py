"""Which types a rollback does not even delete where the deployment itself made them, without consent. Pure.

The tables say it of the types that they know, and names of the others: what is called a database, a bucket, a disk or
the like holds data, whoever provides it, until a table says that it does not.
"""

from __future__ import annotations

from typing import Final

from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.stateful import LOSSES, Holds


def keeps_data(kind: str) -> str | None:
    """Why a rollback may not even delete what the deployment itself made, without consent; None: it may.

    What was made a moment ago may have taken in data since. For a resource that only has another name or address when
    it is made anew nothing is lost by that, and what passes through a queue that was not there before had no place.
    """
    loss = LOSSES.get(kind)
    if loss is None:
        return "it is called like something that holds data" if _called_so(kind) and not is_rebuilt(kind) else None
    return loss.why if loss.holds is Holds.DATA or kind in _DATA_AS_WELL else None


def _called_so(kind: str) -> bool:
    provider, *words = kind.split("_")
    if provider in _NOTHING_OUTSIDE or kind.endswith(_SETTINGS):
        return False
    return not _CALLED.isdisjoint(words) or f"_{kind}".endswith(_ENDS)


#: How types end that are settings of something else.
_SETTINGS: Final = ("_binding", "_member", "_policy", "_rule", "_rules", "_template")
#: Providers that make nothing outside of the state that could hold anything.
_NOTHING_OUTSIDE: Final = frozenset(
    {"archive", "cloudinit", "external", "http", "local", "null", "random", "terraform", "time", "tls"}
)
#: Words in the names of types that hold data.
_CALLED: Final = frozenset(
    """
    account backup bigtable bucket cluster container database dataset datastore db disk domain droplet exadata file
    fileshare filestore filesystem index instance key keyring lake ledger machine memorystore mongodb mysql pool
    postgresql redis registry repository schema secret server share snapshot spanner sql stateful storage store stream
    table tablespace vault vm volume warehouse workspace
    """.split()  # noqa: SIM905  # as in `rebuilt`
)
#: How types end that hold data, or everything that somebody put into them, where the word elsewhere means less.
_ENDS: Final = ("_document", "_kafka_topic", "_namespace", "_namespace_v1", "_project", "_resource_group")
#: Not coming back as they were, and holding data that came in since.
_DATA_AS_WELL: Final = frozenset(
    {
        "aws_kms_key",
        "aws_kms_external_key",
        "aws_kms_replica_key",
        "aws_kms_replica_external_key",
        "aws_kms_custom_key_store",
        "aws_cloudhsm_v2_cluster",
        "aws_paymentcryptography_key",
        "aws_secretsmanager_secret",
        "aws_glacier_vault",
        "aws_cognito_user_pool",
        "aws_cognito_user",
        "aws_cognito_identity_pool",
        "aws_acmpca_certificate_authority",
        "aws_organizations_account",
        "aws_organizations_organization",
        "aws_elastic_beanstalk_environment",
        "aws_route53domains_domain",
    }
)

"""The first and the final state of a target, attribute by attribute. Pure.

A state marks what is sensitive by paths (`sensitive_attributes`); a value that either of the two states marks is not
shown, only that it differs. Where marks cannot be read, none of the object's values are. Terraform before 1.9 marks
nothing of what is sensitive by the provider's schema, so whatever is named like a secret is hidden as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.rollback.keeping import kept
from shared.rollback.open_groups import opened
from shared.rollback.records import (
    MAX_ATTRIBUTES,
    MAX_DIFFERENCES,
    MAX_PREVIEW,
    AttributeDifference,
    Changed,
    Presence,
    ResourceDifference,
    StateComparison,
)
from shared.rollback.states import Instance, instances, load_state

MAX_DEPTH: Final = 200
_PATH_CHARS: Final = 1024
_ABSENT: Final = object()
#: Ends of names of attributes that hold a secret, of every provider.
_SECRET: Final = re.compile(
    r"(?:^|_)(?:passwords?|passwd|passphrase|secret|secret_string|secret_binary|secret_key|access_key|private_key"
    r"|private_key_pem|private_key_openssh|private_key_pem_pkcs8|key_material|key_material_base64|preshared_key|host_key"
    r"|ssh_key|customer_key|token|token_key|api_key|api_key_value|credential|credentials|credentials_map|plaintext"
    r"|connection_string|password_v4|bcrypt_hash)(?:_wo)?$",
    re.IGNORECASE,
)
#: Attributes that hold secrets under harmless names, with all that is in them. For hashicorp/aws: what its schema calls
#: sensitive (5.100, `terraform providers schema -json`).
_SECRETS: Final = frozenset(
    {
        ("aws_api_gateway_api_key", "value"),
        ("aws_appconfig_configuration_profile", "validator"),
        ("aws_appconfig_hosted_configuration_version", "content"),
        ("aws_appflow_connector_profile", "connector_profile_config"),
        ("aws_appsync_api_key", "key"),
        ("aws_cloudwatch_event_connection", "auth_parameters"),
        ("aws_dms_certificate", "certificate_pem"),
        ("aws_dms_certificate", "certificate_wallet"),
        ("aws_elasticsearch_domain_saml_options", "saml_options"),
        ("aws_glue_connection", "athena_properties"),
        ("aws_glue_connection", "connection_properties"),
        ("aws_grafana_workspace_api_key", "key"),
        ("aws_grafana_workspace_service_account_token", "key"),
        ("aws_iot_authorizer", "token_signing_public_keys"),
        ("aws_iot_ca_certificate", "ca_certificate_pem"),
        ("aws_iot_ca_certificate", "verification_certificate_pem"),
        ("aws_iot_certificate", "ca_pem"),
        ("aws_iot_certificate", "certificate_pem"),
        ("aws_iot_certificate", "public_key"),
        ("aws_mwaa_environment", "airflow_configuration_options"),
        ("aws_opensearch_domain_saml_options", "saml_options"),
        ("aws_redshiftserverless_namespace", "admin_username"),
        ("aws_s3_object_copy", "kms_encryption_context"),
        ("aws_s3_object_copy", "kms_key_id"),
        ("aws_sns_platform_application", "platform_principal"),
        ("aws_ssm_maintenance_window_task", "task_invocation_parameters"),
        ("aws_ssm_parameter", "value"),
        ("aws_transfer_certificate", "certificate"),
        ("aws_transfer_certificate", "certificate_chain"),
        ("aws_vpn_connection", "customer_gateway_configuration"),
        ("random_bytes", "base64"),
        ("random_bytes", "hex"),
        ("random_password", "result"),
    }
)
#: Types of which nothing is shown: most of what they have is a secret.
_SECRET_TYPES: Final = ("aws_pinpoint_adm_", "aws_pinpoint_apns_", "aws_pinpoint_gcm_", "aws_quicksight_data_source")
type _Step = str | int


def compare(first: bytes | None, final: bytes | None, changed: Collection[Changed] = ()) -> StateComparison:
    """Compare two states; None: there was none. Data sources are left out: they are read, not deployed.

    Args:
        first: before the deployment.
        final: after the rollback.
        changed: what the deployment set on what stays.

    Raises ConfigurationError for what is no state of format 4.
    """
    left, right = (load_state(one) if one is not None else {} for one in (first, final))
    before, after = _objects(left), _objects(right)
    differing = [
        found
        for address in sorted(before.keys() | after.keys())
        if (found := _resource(address, before.get(address), after.get(address))) is not None
    ]
    # Of more than can be shown, what is in one of the two states alone decides what the result is worth.
    differing.sort(key=lambda one: one.presence is Presence.BOTH)
    outputs = sorted(_outputs(left, right), key=lambda one: one.path)
    lineages = {one.get("lineage") for one in (left, right) if one}
    return StateComparison(
        same_lineage=len(lineages) < 2,
        resources=tuple(differing[:MAX_DIFFERENCES]),
        outputs=tuple(outputs[:MAX_DIFFERENCES]),
        more=len(differing[MAX_DIFFERENCES:]) + len(outputs[MAX_DIFFERENCES:]),
        compared=len(before.keys() | after.keys()),
        opened=tuple(opened(before.values(), after.values()))[:MAX_DIFFERENCES],
        kept=tuple(kept(before.values(), after.values(), changed))[:MAX_DIFFERENCES],
    )


def _objects(state: Mapping[str, Any]) -> dict[str, Instance]:
    return {
        one.address if one.deposed is None else f"{one.address} (deposed {one.deposed})": one
        for one in instances(state)
        if one.managed
    }


def _resource(address: str, first: Instance | None, final: Instance | None) -> ResourceDifference | None:
    if first is None or final is None:
        there, presence = (final, Presence.ONLY_FINAL) if first is None else (first, Presence.ONLY_FIRST)
        return ResourceDifference(address=address, type=there.type if there else "", presence=presence)
    found = list(_differences(first.attributes, final.attributes, _marks(first, final)))
    if not found:
        return None
    return ResourceDifference(
        address=address,
        type=final.type,
        presence=Presence.BOTH,
        attributes=tuple(found[:MAX_ATTRIBUTES]),
        more=len(found[MAX_ATTRIBUTES:]),
    )


def _marks(first: Instance, final: Instance) -> frozenset[tuple[_Step, ...]]:
    if first.sensitive is None or final.sensitive is None or final.type.startswith(_SECRET_TYPES):
        return frozenset({()})
    named = ((name,) for kind, name in _SECRETS if kind in (first.type, final.type))
    return frozenset((*first.sensitive, *final.sensitive, *named))


def _differences(
    first: Any, final: Any, marks: frozenset[tuple[_Step, ...]], path: tuple[_Step, ...] = ()
) -> Iterator[AttributeDifference]:
    """Where two values differ, as deep as both go; a sensitive one is not looked into."""
    if len(path) > MAX_DEPTH:
        raise ConfigurationError("values in the state are nested too deeply", hint="give the state as it was written")
    if path in marks or (path and isinstance(path[-1], str) and _SECRET.search(path[-1])):
        if not _same(first, final):
            yield _told(path, first, final, sensitive=True)
    elif isinstance(first, dict) and isinstance(final, dict):
        for key in sorted(first.keys() | final.keys()):
            yield from _differences(first.get(key, _ABSENT), final.get(key, _ABSENT), marks, (*path, key))
    elif isinstance(first, list) and isinstance(final, list):
        for at in range(max(len(first), len(final))):
            left, right = (one[at] if at < len(one) else _ABSENT for one in (first, final))
            yield from _differences(left, right, marks, (*path, at))
    elif not _same(first, final):
        # One of the two may hold something sensitive further down, where the other has nothing to look into.
        inside = any(mark[: len(path)] == path for mark in marks) or _holds_secret(first) or _holds_secret(final)
        yield _told(path, first, final, sensitive=inside)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_SECRET.search(str(key)) or _holds_secret(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_secret, value))


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: true is not 1, and null is not nothing there."""
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _told(path: tuple[_Step, ...], first: Any, final: Any, *, sensitive: bool) -> AttributeDifference:
    def shown(value: Any) -> str | None:
        if value is _ABSENT:
            return None
        return "(sensitive)" if sensitive else _preview(value)

    return AttributeDifference(path=_dotted(path), first=shown(first), final=shown(final), sensitive=sensitive)


def _preview(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= MAX_PREVIEW else f"{text[: MAX_PREVIEW - 1]}…"


def _dotted(path: tuple[_Step, ...]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier() or step.replace("-", "_").isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text if len(text) <= _PATH_CHARS else f"{text[: _PATH_CHARS - 1]}…"


def _outputs(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[AttributeDifference]:
    before, after = (_mapping(one.get("outputs")) for one in (left, right))
    for name in before.keys() | after.keys():
        pair = [one.get(name) for one in (before, after)]
        hidden = any(isinstance(one, dict) and one.get("sensitive") not in (None, False) for one in pair)
        first, final = (one.get("value") if isinstance(one, dict) else _ABSENT for one in pair)
        if not _same(first, final):
            yield _told((name,), first, final, sensitive=hidden)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

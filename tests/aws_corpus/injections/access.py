"""IAM, KMS, secrets and parameters."""

from __future__ import annotations

from collections.abc import Iterator

from tests.aws_corpus.injections.row import GONE, Injection, one, policy


def access() -> Iterator[Injection]:
    """The rows."""
    role, user, group = "aws_iam_role.this", "aws_iam_user.this", "aws_iam_group.this"
    yield one(
        role,
        "description max_session_duration",
        "iam.update_role",
        lambda r, of: {"RoleName": r["name"], "Description": "injected", "MaxSessionDuration": 7200},
    )
    yield one(
        role,
        "assume_role_policy",
        "iam.update_assume_role_policy",
        lambda r, of: {
            "RoleName": r["name"],
            "PolicyDocument": policy(
                "Injected", Resource=None, Action="sts:AssumeRole", Effect="Allow", Principal={"AWS": "*"}
            ),
        },
    )
    yield one(
        role,
        "permissions_boundary",
        "iam.put_role_permissions_boundary",
        lambda r, of: {"RoleName": r["name"], "PermissionsBoundary": of("aws_iam_policy.this")["arn"]},
    )
    for kind in ("role", "user", "group"):
        yield one(
            f"aws_iam_{kind}_policy.this",
            "policy",
            f"iam.put_{kind}_policy",
            lambda r, of, kind=kind: {
                f"{kind.capitalize()}Name": r[kind],
                "PolicyName": r["name"],
                "PolicyDocument": policy("Injected", Principal=None),
            },
        )
    for kind in ("role", "user", "group"):
        yield one(
            f"aws_iam_{kind}_policy_attachment.this",
            GONE,
            f"iam.detach_{kind}_policy",
            lambda r, of, kind=kind: {f"{kind.capitalize()}Name": r[kind], "PolicyArn": r["policy_arn"]},
        )
    yield one(
        "aws_iam_policy.this",
        "policy",
        "iam.create_policy_version",
        lambda r, of: {
            "PolicyArn": r["arn"],
            "PolicyDocument": policy("Injected", Principal=None),
            "SetAsDefault": True,
        },
    )
    yield one(
        "aws_iam_instance_profile.this",
        "role",
        "iam.remove_role_from_instance_profile",
        lambda r, of: {"InstanceProfileName": r["name"], "RoleName": r["role"]},
    )
    yield one(
        "aws_iam_group_membership.this",
        "users[0]",
        "iam.remove_user_from_group",
        lambda r, of: {"GroupName": of(group)["name"], "UserName": of(user)["name"]},
    )
    yield one(
        "aws_iam_openid_connect_provider.this",
        "thumbprint_list[0]",
        "iam.update_open_id_connect_provider_thumbprint",
        lambda r, of: {"OpenIDConnectProviderArn": r["arn"], "ThumbprintList": ["a" * 40]},
    )
    yield one(
        "aws_iam_account_password_policy.this",
        "minimum_password_length require_symbols max_password_age password_reuse_prevention",
        "iam.update_account_password_policy",
        {"MinimumPasswordLength": 20, "RequireSymbols": True, "MaxPasswordAge": 30, "PasswordReusePrevention": 3},
    )
    yield one("aws_kms_alias.this", GONE, "kms.delete_alias", lambda r, of: {"AliasName": r["name"]})
    yield one(
        "aws_ssm_maintenance_window.this",
        GONE,
        "ssm.delete_maintenance_window",
        lambda r, of: {"WindowId": r["id"]},
    )
    yield one(
        "aws_ssm_document.this",
        "latest_version",
        "ssm.update_document",
        lambda r, of: {
            "Name": r["name"],
            "DocumentVersion": "$LATEST",
            "Content": r["content"].replace("Revision", "Injected"),
        },
    )
    key = "aws_kms_key.this"
    yield one(
        key, "description", "kms.update_key_description", lambda r, of: {"KeyId": r["id"], "Description": "injected"}
    )
    yield one(key, "enable_key_rotation", "kms.disable_key_rotation", lambda r, of: {"KeyId": r["id"]})
    yield one(
        key,
        "policy",
        "kms.put_key_policy",
        lambda r, of: {
            "KeyId": r["id"],
            "PolicyName": "default",
            "Policy": policy("Injected", Effect="Allow", Action="kms:*"),
        },
    )
    yield one(key, "is_enabled", "kms.disable_key", lambda r, of: {"KeyId": r["id"]})
    secret = "aws_secretsmanager_secret.this"
    yield one(
        secret,
        "description",
        "secretsmanager.update_secret",
        lambda r, of: {"SecretId": r["id"], "Description": "injected"},
    )
    yield one(
        "aws_secretsmanager_secret_version.this",
        "version_stages",
        "secretsmanager.put_secret_value",
        lambda r, of: {"SecretId": r["secret_id"], "SecretString": "injected"},
    )
    yield one(
        "aws_secretsmanager_secret_policy.this",
        "policy",
        "secretsmanager.put_resource_policy",
        lambda r, of: {"SecretId": r["secret_arn"], "ResourcePolicy": policy("Injected", Action="secretsmanager:*")},
    )
    yield one(
        "aws_ssm_parameter.this",
        "value description",
        "ssm.put_parameter",
        lambda r, of: {
            "Name": r["name"],
            "Value": "injected",
            "Description": "injected",
            "Type": "SecureString",
            "Overwrite": True,
        },
    )

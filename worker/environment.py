"""The whole environment of a provisioner: built from nothing, so that nothing of the worker's own gets in.

Pure. The keys in it are placeholders made for this run; the proxy knows them and swaps them for real signatures.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import quote

# Twenty characters, as AWS's own: some clients check the length.
_KEY_PREFIX = "INTERLOCK"
_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, kw_only=True)
class Placeholders:
    """What a run shows to the proxy instead of credentials; worthless everywhere else, and after the run."""

    access_key_id: str
    """Names the run in the client's dummy signature."""
    secret_access_key: str = field(repr=False)
    """Makes that signature; binds each request to the run."""
    proxy_user: str
    """User for Proxy-Authorization where the listener does not say which run calls."""
    proxy_password: str = field(repr=False)
    """Its password."""


def make_placeholders(run_id: str) -> Placeholders:
    """Fresh random placeholders.

    Args:
        run_id: becomes the proxy user.
    """
    tail = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(20 - len(_KEY_PREFIX)))
    return Placeholders(
        access_key_id=_KEY_PREFIX + tail,
        secret_access_key=secrets.token_urlsafe(30),
        proxy_user=run_id,
        proxy_password=secrets.token_urlsafe(30),
    )


def provisioner_environment(
    *,
    placeholders: Placeholders,
    port: int,
    authenticate: bool,
    region: str,
    ca_file: str,
    state_username: str,
    state_password: str,
    path: str,
    home: str,
    terraformrc: str,
) -> dict[str, str]:
    """Everything that a provisioner gets to know.

    Args:
        placeholders: of this run.
        port: where the proxy listens on 127.0.0.1.
        authenticate: put user and password into the proxy's address (without a sandbox the listener is shared).
        region: the cloud's region.
        ca_file: the proxy's CA, as seen by the provisioner.
        state_username: for the state backend.
        state_password: for the state backend, of this run only.
        path: PATH.
        home: HOME; inside the work directory.
        terraformrc: the CLI configuration, as seen by the provisioner.
    """
    login = (
        f"{quote(placeholders.proxy_user, safe='')}:{quote(placeholders.proxy_password, safe='')}@"
        if authenticate
        else ""
    )
    proxy = f"http://{login}127.0.0.1:{port}"
    return {
        "PATH": path,
        "HOME": home,
        "LANG": "C.UTF-8",
        # Both spellings: curl reads only the lower one for http.
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "AWS_ACCESS_KEY_ID": placeholders.access_key_id,
        "AWS_SECRET_ACCESS_KEY": placeholders.secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # No instance metadata to ask; without it some clients wait for their time-out.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": ca_file,
        # Terraform itself (the state backend), git and Python's requests, in this order.
        "SSL_CERT_FILE": ca_file,
        "GIT_SSL_CAINFO": ca_file,
        "REQUESTS_CA_BUNDLE": ca_file,
        "CURL_CA_BUNDLE": ca_file,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_CONFIG_FILE": terraformrc,
        "TF_HTTP_USERNAME": state_username,
        "TF_HTTP_PASSWORD": state_password,
        "CHECKPOINT_DISABLE": "1",
        # Providers decode megabytes of schema at each start. Collecting half as often takes a seventh less processor
        # time and 30 MB more (hashicorp/aws 5.100, `plan -refresh-only`: 2.1 s and 320 MB to 1.8 s and 350 MB).
        "GOGC": "200",
    }

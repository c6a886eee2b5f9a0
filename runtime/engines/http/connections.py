"""How the HTTP library is set up: keys, certificates, proxies; and what is wrong with the variables that it reads.

httpx takes proxies and certificates from variables of the environment when a client of it is made. What it raises then
becomes an `EngineError` here. No message shows what a variable holds: a proxy's address may hold a password.
"""

from __future__ import annotations

import json
import os
import ssl

import httpx

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.http.ask import HttpLimits

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXY_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


def open_connections(limits: HttpLimits, *, key: str | None, tls: ssl.SSLContext | bool) -> httpx.AsyncClient:
    """What requests are sent with; whoever gets it closes it.

    Args:
        limits: how many connections, and how long until one stands.
        key: sent as a bearer token.
        tls: how certificates are checked, see `tls_context`.

    Raises:
        EngineError: a variable names a proxy or certificates that cannot be used.
    """
    # Compressed answers are not asked for: a small body must not become a large one.
    headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    most = limits.max_concurrency
    try:
        return httpx.AsyncClient(
            headers=headers,
            verify=tls,
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
            timeout=httpx.Timeout(None, connect=limits.connect_timeout),
        )
    except ImportError as exc:
        named = _set_ones(_PROXY_VARIABLES)
        raise EngineError(
            f"{named} names a SOCKS proxy, for which a library is missing",
            help=f'run pip install "httpx[socks]", or unset {named}',
        ) from exc
    except OSError as exc:
        named = _set_ones(_CERTIFICATE_VARIABLES)
        raise EngineError(
            f"the certificates that {named} names cannot be read", help=f"correct or unset {named}, or give verify_tls"
        ) from exc
    except (ValueError, httpx.InvalidURL) as exc:
        named = _set_ones(_PROXY_VARIABLES)
        raise EngineError(
            f"{named} holds no address of a proxy", help=f"write {named} like http://127.0.0.1:3128, or unset it"
        ) from exc


def tls_context(verify: bool | str) -> ssl.SSLContext | bool:
    """How certificates are checked: always, never, or against a file of trusted ones.

    Raises:
        EngineError: the file cannot be read.
    """
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except (OSError, ValueError) as exc:  # ValueError: no file can have such a name
        raise EngineError(
            f"the certificates in {json.dumps(verify)} cannot be read",
            help="give a file in the PEM format as verify_tls",
        ) from exc


def _set_ones(names: tuple[str, ...]) -> str:
    """Those of some variables that are set, in either case, for a message; all of them where none is."""
    found = [name for written in names for name in (written, written.lower()) if os.environ.get(name)]
    return " or ".join(found or names)

"""Whom a transport trusts: one TLS context for all its connections, the same whichever transport it is."""

from __future__ import annotations

import os
import ssl

__all__ = ["tls_context"]


def tls_context(verify: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """The given context, or one that trusts certifi's authorities, or those that SSL_CERT_FILE or SSL_CERT_DIR names.

    Either speaks HTTP/1.1 only. Reading the authorities takes some 30 ms.
    """
    if verify is None:
        # The two names are OpenSSL's own: https://docs.openssl.org/master/man3/SSL_CTX_load_verify_locations/
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        if not file and not folder:
            import certifi  # noqa: PLC0415 - it brings much of the standard library, which plain HTTP need not pay

            file = certifi.where()
        verify = ssl.create_default_context(cafile=file or None, capath=folder or None)
    verify.set_alpn_protocols(["http/1.1"])
    return verify

"""Stored credentials: the store, what binds them to servers, the built-in types, and redaction."""

from __future__ import annotations

from haulier.io.credentials.bound import Bound, check_binding, origin_of
from haulier.io.credentials.redact import Redactor, looks_secret, masked
from haulier.io.credentials.resolve import ResolvedCredential, SecretRef, resolve_values
from haulier.io.credentials.store import Credential, CredentialStore, StoredRow
from haulier.io.credentials.types import ApiKey, Basic, Bearer, credential_types

__all__ = [
    "ApiKey",
    "Basic",
    "Bearer",
    "Bound",
    "Credential",
    "CredentialStore",
    "Redactor",
    "ResolvedCredential",
    "SecretRef",
    "StoredRow",
    "check_binding",
    "credential_types",
    "looks_secret",
    "masked",
    "origin_of",
    "resolve_values",
]

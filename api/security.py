"""The security plugins that come with Graftwire. Those that need an extra say so when they are made.

Who may call: `ApiKeys`, `JwtAuthenticator` (extra `jwt`), `HmacAuthenticator`, `MutualTls` (extra `mtls`). What they
may call: `AnyIdentity`, `Everyone`, `RoleRules`, `CasbinAuthoriser` (extra `casbin`). What a caller proves itself with:
`ApiKeyCredential`, `BearerCredential`, `HmacCredential`, `MtlsCredential`. Where decisions are written down:
`AuditFile`.
"""

from __future__ import annotations

from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.security.api_keys import ApiKeyCredential, ApiKeys
from graftwire.gateway.security.casbin import CasbinAuthoriser
from graftwire.gateway.security.hmac import HmacAuthenticator, HmacCredential
from graftwire.gateway.security.jwt import BearerCredential, JwksFile, JwksUrl, JwtAuthenticator, KeySource
from graftwire.gateway.security.mtls import MtlsCredential, MutualTls
from graftwire.gateway.security.roles import ANYONE, AUTHENTICATED, AnyIdentity, Everyone, RoleRules

__all__ = [
    "ANYONE",
    "AUTHENTICATED",
    "AnyIdentity",
    "ApiKeyCredential",
    "ApiKeys",
    "AuditFile",
    "BearerCredential",
    "CasbinAuthoriser",
    "Everyone",
    "HmacAuthenticator",
    "HmacCredential",
    "JwksFile",
    "JwksUrl",
    "JwtAuthenticator",
    "KeySource",
    "MtlsCredential",
    "MutualTls",
    "RoleRules",
]

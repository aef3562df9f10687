"""The use cases of an operator with accounts."""

from accounts.services.credentials.clients import can_be_secret, client_for, forget_health, store_token, token_expiry
from accounts.services.credentials.token_sources import CredentialProblem
from accounts.services.health.bulk_check import start_check
from accounts.services.health.check import check_connection, check_connections
from accounts.services.health.store import HealthReport, record_health
from accounts.services.identity import remember_identity
from accounts.services.keys import Rotation, clear, rotate, unreadable_secrets
from accounts.services.subdomains import subdomain_of

__all__ = [
    "CredentialProblem",
    "HealthReport",
    "Rotation",
    "can_be_secret",
    "check_connection",
    "check_connections",
    "clear",
    "client_for",
    "forget_health",
    "record_health",
    "remember_identity",
    "rotate",
    "start_check",
    "store_token",
    "subdomain_of",
    "token_expiry",
    "unreadable_secrets",
]

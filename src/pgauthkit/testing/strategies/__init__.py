"""Strategies of hypothesis for the models and the values, and for what they are made of (needs hypothesis)."""

from pgauthkit.testing.strategies.parts import (
    emails,
    ids,
    ips,
    link_tokens,
    moments,
    redirects,
    session_tokens,
    user_agents,
)
from pgauthkit.testing.strategies.rows import devices, magic_links, sessions, users
from pgauthkit.testing.strategies.values import (
    device_infos,
    email_changes,
    identities,
    invitation_infos,
    issued_magic_links,
    magic_link_previews,
    purge_reports,
    session_infos,
    sign_ins,
    token_pairs,
)

__all__ = [
    "device_infos",
    "devices",
    "email_changes",
    "emails",
    "identities",
    "ids",
    "invitation_infos",
    "ips",
    "issued_magic_links",
    "link_tokens",
    "magic_link_previews",
    "magic_links",
    "moments",
    "purge_reports",
    "redirects",
    "session_infos",
    "session_tokens",
    "sessions",
    "sign_ins",
    "token_pairs",
    "user_agents",
    "users",
]

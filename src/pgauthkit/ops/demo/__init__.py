"""What `pgauthkit demo` does: a whole sign-in on a real PostgreSQL, as typed steps in which every claim is checked."""

from pgauthkit.ops.demo.rows import kept_hash
from pgauthkit.ops.demo.server import look_at
from pgauthkit.ops.demo.steps import EMAIL, TYPED_EMAIL, Demo

__all__ = ["EMAIL", "TYPED_EMAIL", "Demo", "kept_hash", "look_at"]

"""Users, magic links, sessions, and the limiter's buckets."""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: None = None
depends_on: None = None

SCHEMA = "pgauthkit"


def upgrade() -> None:
    """Create the four tables. Every constraint's name goes through `op.f`, or the naming convention doubles it."""
    _create_users()
    _create_magic_links()
    _create_sessions()
    _create_rate_limits()


def downgrade() -> None:
    """Drop the four tables; the schema stays, because the version table is in it."""
    op.drop_table("rate_limits", schema=SCHEMA)
    op.drop_table("sessions", schema=SCHEMA)
    op.drop_table("magic_links", schema=SCHEMA)
    op.drop_table("users", schema=SCHEMA)


def _time(name: str, *, nullable: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _time_of_insert(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.String(32), server_default="USER", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _time("last_login_at", nullable=True),
        _time_of_insert("created_at"),
        _time_of_insert("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.CheckConstraint("role IN ('USER', 'ADMIN')", name=op.f("ck_users_role")),
        schema=SCHEMA,
        postgresql_with={"fillfactor": 80},
    )


def _create_magic_links() -> None:
    op.create_table(
        "magic_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=True),
        sa.Column("binding_hash", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("redirect_to", sa.Text(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        _time("expires_at", nullable=False),
        _time("used_at", nullable=True),
        _time("revoked_at", nullable=True),
        _time_of_insert("created_at"),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_magic_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_magic_links_token_hash")),
        sa.ForeignKeyConstraint(
            ["user_id"], [f"{SCHEMA}.users.id"], name=op.f("fk_magic_links_user_id_users"), ondelete="SET NULL"
        ),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_magic_links_email"),
        "magic_links",
        ["email"],
        schema=SCHEMA,
        postgresql_where=sa.text("used_at IS NULL AND revoked_at IS NULL"),
    )
    op.create_index(op.f("ix_magic_links_expires_at"), "magic_links", ["expires_at"], schema=SCHEMA)
    op.create_index(op.f("ix_magic_links_user_id"), "magic_links", ["user_id"], schema=SCHEMA)


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("selector_hash", sa.LargeBinary(), nullable=False),
        sa.Column("access_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_access_token_hash", sa.LargeBinary(), nullable=True),
        _time("previous_access_expires_at", nullable=True),
        sa.Column("previous_refresh_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("rotation_nonce", sa.LargeBinary(), nullable=True),
        _time("rotated_at", nullable=True),
        _time("authenticated_at", nullable=False),
        _time("last_used_at", nullable=False),
        _time("access_expires_at", nullable=False),
        _time("idle_expires_at", nullable=False),
        _time("expires_at", nullable=False),
        _time("revoked_at", nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        _time_of_insert("created_at"),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("selector_hash", name=op.f("uq_sessions_selector_hash")),
        sa.ForeignKeyConstraint(
            ["user_id"], [f"{SCHEMA}.users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"
        ),
        schema=SCHEMA,
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], schema=SCHEMA)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], schema=SCHEMA)


def _create_rate_limits() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        _time("full_at", nullable=False),
        sa.Column("granted", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
        schema=SCHEMA,
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": 70},
    )

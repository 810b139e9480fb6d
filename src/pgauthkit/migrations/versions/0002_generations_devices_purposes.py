"""Generations of tokens, known devices, purposes of links, and a CHECK on addresses."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: None = None
depends_on: None = None

SCHEMA = "pgauthkit"
IS_CANONICAL = (
    "email COLLATE \"C\" ~ '^[!#-''*+/-9=?^-~-]+(\\.[!#-''*+/-9=?^-~-]+)*"
    "@(([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?|localhost)$'"
    " AND length(email) <= 254 AND strpos(email, '@') <= 65"
)
# Says which rows are in no canonical form, by their ids: an address is nobody's business in a log. It changes none,
# since two spellings of one address may be two accounts.
REFUSE_OTHER_SPELLINGS = """
DO $$
DECLARE
    other record;
BEGIN
    FOR other IN
        SELECT name, count(*) AS count, string_agg(id, ', ' ORDER BY id) FILTER (WHERE place <= 5) AS ids
        FROM (
            SELECT 'users' AS name, id, row_number() OVER (ORDER BY id) AS place
            FROM pgauthkit.users WHERE NOT (IS_CANONICAL)
            UNION ALL
            SELECT 'magic_links', id, row_number() OVER (ORDER BY id)
            FROM pgauthkit.magic_links WHERE NOT (IS_CANONICAL)
        ) AS others
        GROUP BY name ORDER BY name DESC
    LOOP
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE =
            'rows of pgauthkit.' || other.name || ' with an address that is not in its canonical form: ' || other.count
            || ', among them those with the ids ' || other.ids
            || '. Nothing was changed: give them the address that pgauthkit.email_address.canonical_email returns,'
            || ' or delete them, and deploy again';
    END LOOP;
END $$
""".replace("IS_CANONICAL", IS_CANONICAL)
LINK_COLUMNS = (
    "purpose",
    "role",
    "handoff_hash",
    "match_hash",
    "match_attempts",
    "approved_at",
    "session_id",
    "session_nonce",
)
PENDING = "used_at IS NULL AND revoked_at IS NULL"


def upgrade() -> None:
    """Add what the release before does not know: each column is optional or has a default, so that both may run."""
    op.execute(sa.text(REFUSE_OTHER_SPELLINGS))
    _widen_sessions()
    _widen_magic_links()
    _create_devices()
    for table in ("users", "magic_links"):
        op.create_check_constraint(op.f(f"ck_{table}_email"), table, sa.text(IS_CANONICAL), schema=SCHEMA)


def downgrade() -> None:
    """Remove it again, with the invitations and changes of address, which would be sign-in links to the release before.

    Sessions stay, but not their tokens: those of the release before are made in another way.
    """
    for table in ("users", "magic_links"):
        op.drop_constraint(op.f(f"ck_{table}_email"), table, schema=SCHEMA)
    op.drop_table("devices", schema=SCHEMA)
    op.execute(sa.text("DELETE FROM pgauthkit.magic_links WHERE purpose <> 'sign_in'"))
    # Their indexes and constraints go with them.
    for column in reversed(LINK_COLUMNS):
        op.drop_column("magic_links", column, schema=SCHEMA)
    for column in ("device_id", "confirmed_at", "generation"):
        op.drop_column("sessions", column, schema=SCHEMA)


def _time(name: str, *, nullable: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _widen_sessions() -> None:
    op.add_column(
        "sessions",
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        schema=SCHEMA,
    )
    op.add_column("sessions", _time("confirmed_at", nullable=True), schema=SCHEMA)
    op.add_column("sessions", sa.Column("device_id", sa.Text(), nullable=True), schema=SCHEMA)


def _widen_magic_links() -> None:
    columns = (
        sa.Column("purpose", sa.Text(), server_default="sign_in", nullable=False),
        sa.Column("role", sa.String(32), nullable=True),
        sa.Column("handoff_hash", sa.LargeBinary(), nullable=True),
        sa.Column("match_hash", sa.LargeBinary(), nullable=True),
        sa.Column("match_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("approved_at", nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("session_nonce", sa.LargeBinary(), nullable=True),
    )
    for one in columns:
        op.add_column("magic_links", one, schema=SCHEMA)
    checks = {"purpose": "purpose IN ('sign_in', 'invite', 'email_change')", "role": "role IN ('USER', 'ADMIN')"}
    for name, check in checks.items():
        op.create_check_constraint(op.f(f"ck_magic_links_{name}"), "magic_links", sa.text(check), schema=SCHEMA)
    for column, purpose in (("email", "invite"), ("user_id", "email_change")):
        op.create_index(
            op.f(f"uq_magic_links_{column}_{purpose}"),
            "magic_links",
            [column],
            unique=True,
            schema=SCHEMA,
            postgresql_where=sa.text(f"purpose = '{purpose}' AND {PENDING}"),
        )
    op.create_index(
        op.f("ix_magic_links_handoff_hash"),
        "magic_links",
        ["handoff_hash"],
        schema=SCHEMA,
        postgresql_where=sa.text("handoff_hash IS NOT NULL"),
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _time("last_used_at", nullable=False),
        _time("expires_at", nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_devices_token_hash")),
        sa.ForeignKeyConstraint(
            ["user_id"], [f"{SCHEMA}.users.id"], name=op.f("fk_devices_user_id_users"), ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_devices_expires_at"), "devices", ["expires_at"], schema=SCHEMA)
    op.create_index(op.f("ix_devices_user_id"), "devices", ["user_id"], schema=SCHEMA)

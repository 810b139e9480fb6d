"""Add the shop."""

import sqlalchemy as sa
from alembic import op

revision = "shop1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["pgauthkit.users.id"], name=op.f("fk_notes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["pgauthkit.users.id"], name=op.f("fk_orders_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["pgauthkit.users.id"], name=op.f("fk_posts_author_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(op.f("ix_posts_deleted_at"), "posts", ["deleted_at"], unique=False)
    op.add_column("users", sa.Column("phone", sa.Text(), nullable=True), schema="pgauthkit")
    op.add_column("users", sa.Column("locale", sa.Text(), server_default="en", nullable=False), schema="pgauthkit")
    op.add_column("users", sa.Column("team_id", sa.Text(), nullable=True), schema="pgauthkit")
    op.create_index(op.f("ix_users_team_id"), "users", ["team_id"], unique=False, schema="pgauthkit")
    op.create_unique_constraint(op.f("uq_users_phone"), "users", ["phone"], schema="pgauthkit")
    op.create_foreign_key(
        op.f("fk_users_team_id_teams"), "users", "teams", ["team_id"], ["id"], source_schema="pgauthkit"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_users_team_id_teams"), "users", schema="pgauthkit", type_="foreignkey")
    op.drop_constraint(op.f("uq_users_phone"), "users", schema="pgauthkit", type_="unique")
    op.drop_index(op.f("ix_users_team_id"), table_name="users", schema="pgauthkit")
    op.drop_column("users", "team_id", schema="pgauthkit")
    op.drop_column("users", "locale", schema="pgauthkit")
    op.drop_column("users", "phone", schema="pgauthkit")
    op.drop_index(op.f("ix_posts_deleted_at"), table_name="posts")
    op.drop_table("posts")
    op.drop_table("orders")
    op.drop_table("notes")
    op.drop_table("teams")

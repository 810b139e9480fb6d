"""Users of pgauthkit's, with a column of the host's."""

import sqlalchemy as sa
from alembic import op

revision = "two"
down_revision = "one"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("author_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        "items_author_id_fkey", "items", "users", ["author_id"], ["id"], referent_schema="pgauthkit", ondelete="CASCADE"
    )
    op.add_column("users", sa.Column("nickname", sa.Text(), nullable=True), schema="pgauthkit")


def downgrade() -> None:
    op.drop_column("users", "nickname", schema="pgauthkit")
    op.drop_constraint("items_author_id_fkey", "items", type_="foreignkey")
    op.drop_column("items", "author_id")

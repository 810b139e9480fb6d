"""A kind of users, so that an application may have a class of its own for them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Add the column with a constant default: no row is rewritten, and the release before need not know of it."""
    op.add_column(
        "users", sa.Column("pgauthkit_kind", sa.Text(), server_default="user", nullable=False), schema="pgauthkit"
    )


def downgrade() -> None:
    """Remove it again. Columns that an application has put on the users stay where they are."""
    op.drop_column("users", "pgauthkit_kind", schema="pgauthkit")

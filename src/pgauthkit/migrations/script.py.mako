"""${message}."""
<%!
    def quoted(value):
        return "None" if value is None else '"' + value + '"'
%>
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${quoted(up_revision)}
down_revision: str | None = ${quoted(down_revision)}
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply the revision. Every constraint's name goes through `op.f`, or the naming convention doubles it."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo the revision, to the last object."""
    ${downgrades if downgrades else "pass"}

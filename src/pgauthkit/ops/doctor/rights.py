"""The check of rights: all that the service needs, and not everything there is."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.models import SCHEMA, Base
from pgauthkit.ops.doctor.finding import Finding

__all__ = ["check_rights"]

_WANTED: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_LACKING: Final = text("""
SELECT format('%s on %I.%I', wanted.privilege, n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN pg_catalog.unnest(CAST(:wanted AS text[])) WITH ORDINALITY AS wanted (privilege, position)
WHERE n.nspname = :schema AND c.relname = ANY (CAST(:tables AS text[]))
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, wanted.privilege))
ORDER BY c.relname, wanted.position
""")
_SUPERUSER: Final = text("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")


def check_rights(connection: Connection) -> Iterator[Finding]:
    """Look for rights that the role of the application lacks on our tables, and for a role that may do all."""
    tables = [table.name for table in Base.metadata.sorted_tables if table.schema == SCHEMA]
    asked = {"wanted": list(_WANTED), "schema": SCHEMA, "tables": tables}
    lacking = connection.scalars(_LACKING, asked).all()
    if lacking:
        message = f"The role lacks {', '.join(lacking)}."
        advice = f"As the owner: GRANT USAGE ON SCHEMA {SCHEMA}, and {', '.join(_WANTED)} ON its tables, to the role."
        yield Finding(check="rights", level="wrong", message=message, advice=advice)
    elif connection.scalar(_SUPERUSER):
        message = "The application connects as a superuser, who may do everything."
        advice = "Give it a role of its own, with rights on rows alone; see the guide on roles."
        yield Finding(check="rights", level="warning", message=message, advice=advice)
    else:
        yield Finding(check="rights", level="ok", message="The role may read and write the rows.")

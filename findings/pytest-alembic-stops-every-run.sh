#!/usr/bin/env bash
# pytest 9.2.0, pytest-alembic 0.13.1, Alembic 1.20.1, SQLAlchemy 2.1.9, Python 3.11
#
# Guess: a plugin that is installed and not asked for (`--test-alembic` is off) changes nothing for the other tests.
# Behaviour: where `tests/conftest.py` exists, pytest-alembic makes a collector for it in every run and sets an attribute that
#   nodes of pytest 9.2 do not have: the run ends with an AttributeError before any test, and names no plugin.
#   Setting `pytest_alembic_tests_path` to a path that does not exist brings the tests back.
# Output seen:
#   installed: 1 error
#   with another pytest_alembic_tests_path: 1 passed
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pytest==9.2.0" "pytest-alembic==0.13.1" "alembic==1.20.1" "sqlalchemy==2.1.9"
mkdir -p "$folder/project/tests"
touch "$folder/project/tests/conftest.py"
echo "def test_nothing_of_alembic(): assert 1 + 1 == 2" >"$folder/project/tests/test_one.py"
cd "$folder/project"
last() { "$folder/venv/bin/pytest" "$@" 2>&1 | tail -n 1 | grep -oE '[0-9]+ (error|passed|failed)' || true; }
{
  echo "installed: $(last)"
  echo "with another pytest_alembic_tests_path: $(last -o pytest_alembic_tests_path=none)"
} >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
installed: 1 error
with another pytest_alembic_tests_path: 1 passed
SEEN

"""What SQLAlchemy does not read of a database is in the models all the same: they make what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.ops.project.agreement import difference_elsewhere

from pgauthkit.ops.project.pull import pull

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.conftest import Database

# Some have the names of our convention, by which `index=True` and `unique=True` would say it all.
TABLES = """
    CREATE SCHEMA away;
    CREATE TABLE away.notes (id int PRIMARY KEY, line text) WITH (fillfactor = 70);
    CREATE INDEX by_end ON away.notes (reverse(line) text_pattern_ops DESC, line COLLATE "C", lower(line) DESC);
    CREATE TABLE parted (id int, label text, CONSTRAINT pk_parted PRIMARY KEY (id, label)) PARTITION BY LIST (label);
    CREATE TABLE part PARTITION OF parted FOR VALUES IN ('a');
    CREATE TABLE kinds (id int CONSTRAINT pk_kinds PRIMARY KEY DEFERRABLE, n int, m int, label text, extra jsonb,
        CONSTRAINT uq_kinds_n UNIQUE (n) INCLUDE (label), span int4range, EXCLUDE USING gist (span WITH &&),
        CONSTRAINT uq_kinds_m UNIQUE (m) DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT small CHECK (n < 9) NO INHERIT, CONSTRAINT ck_kinds_n CHECK (n > 0));
    ALTER TABLE kinds ADD CONSTRAINT large CHECK (m > 9) NOT VALID,
        ADD CONSTRAINT fk_kinds_m_notes FOREIGN KEY (m) REFERENCES away.notes NOT VALID;
    CREATE INDEX ix_kinds_extra ON kinds USING gin (extra jsonb_path_ops);
    CREATE INDEX ix_kinds_label ON kinds (label text_pattern_ops NULLS FIRST) INCLUDE (m) WHERE n > 3;
    CREATE INDEX ix_kinds_n ON kinds (n DESC NULLS LAST);
    CREATE DOMAIN named AS text DEFAULT ' :d' CHECK (value <> ' :e' AND value NOT LIKE '%s%');
    CREATE TABLE texts (id int PRIMARY KEY, plain json DEFAULT '{"a":1}', name named, other named DEFAULT ' :x',
        line text DEFAULT ' :b' CHECK (line NOT LIKE ' :c%' AND line <> 'a\\:b'),
        made text GENERATED ALWAYS AS (id::text || ' :e') STORED);
    CREATE INDEX by_key ON texts ((plain ->> ' :q'), (made || ' :r') DESC) WHERE line <> ' :w';
    CREATE TABLE child () INHERITS (kinds);
"""
OF_18 = """
    ALTER TABLE kinds ADD CONSTRAINT later CHECK (n <> 5) NOT ENFORCED,
        ADD twice int GENERATED ALWAYS AS (n * 2) VIRTUAL, ADD thrice int GENERATED ALWAYS AS (n * 3) STORED;
"""


@pytest.mark.pg18
def test_models_make_what_is_there(database: Database, major: int, tmp_path: Path) -> None:
    """Nothing is left to write but by hand what a model cannot say, and the notes name what else it cannot."""
    database.run(TABLES + (OF_18 if major >= 18 else ""))

    pulled = pull(database.url, base="pgauthkit" if major >= 18 else "plain")
    (tmp_path / "kinds.py").write_text(pulled.code)
    *told, written = difference_elsewhere(database.url, tmp_path, "kinds:Base").splitlines()

    assert written == "None"
    assert [line.partition(":")[0] for line in told] == [
        "The table public.child",
        "The constraint public.kinds.kinds_span_excl",
    ]
    unsaid = ["small CHECK", *(["later CHECK"] if major >= 18 else [])]
    assert sorted(" ".join(note.split()[2:5:2]) for note in pulled.notes) == sorted(unsaid)


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("CREATE INDEX ix_posts_n ON posts (n DESC)", "Index('ix_posts_n', text('n DESC'))"),
        ("CREATE INDEX ix_posts_n ON posts (n) WHERE n > 3", "Index('ix_posts_n', 'n', postgresql_where='(n > 3)')"),
        ("CREATE INDEX ix_posts_n ON posts (n)", "mapped_column(Integer, index=True)"),
        (
            "ALTER TABLE posts ADD CONSTRAINT uq_posts_n UNIQUE (n) DEFERRABLE",
            "UniqueConstraint('n', name='uq_posts_n', deferrable=True)",
        ),
        ("ALTER TABLE posts ADD CONSTRAINT uq_posts_n UNIQUE (n)", "mapped_column(Integer, unique=True)"),
        (
            "ALTER TABLE posts ADD CONSTRAINT fk_posts_n_posts FOREIGN KEY (n) REFERENCES posts ON DELETE CASCADE",
            "mapped_column(ForeignKey('posts.id', ondelete='CASCADE'))",
        ),
        (
            "ALTER TABLE posts ADD CONSTRAINT fk_posts_n_posts FOREIGN KEY (n) REFERENCES posts NOT VALID",
            "ForeignKeyConstraint(['n'], ['posts.id'], name='fk_posts_n_posts', postgresql_not_valid=True)",
        ),
        ("ALTER TABLE posts ADD CONSTRAINT large CHECK (n > 3)", "CheckConstraint('n > 3', name=conv('large'))"),
    ],
)
def test_names_of_the_convention(statement: str, written: str, database: Database) -> None:
    """On our `Base` a column says by itself what it can say in full, and nothing more; a CHECK keeps its name."""
    database.run("CREATE TABLE posts (id serial CONSTRAINT pk_posts PRIMARY KEY, n int)", statement)

    assert written in pull(database.url, base="pgauthkit").code


def test_a_role_without_rights(database: Database) -> None:
    """Who may read no table pulls the same models: the catalog is for everybody."""
    database.run("CREATE TABLE posts (id serial PRIMARY KEY, n int CHECK (n > 0), UNIQUE (n) DEFERRABLE)")
    role = f"{database.name}_clerk"
    database.run(f"CREATE ROLE {role} LOGIN")

    url = sa.make_url(database.url).set(username=role).render_as_string(hide_password=False)

    assert pull(url) == pull(database.url)
    database.run(f"DROP ROLE {role}")

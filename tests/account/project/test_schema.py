"""The columns of an Account are made, found, undone, carried and drawn by the application's own revisions."""

import shutil
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from shop import Account, Base, Note, Order, Post, Team

from pgauthkit.models import Device, MagicLink, RateLimit, Session
from pgauthkit.ops import backup, doctor, erd, migrate, restore
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.revisions.bundled import alembic_config, bundled_revisions
from pgauthkit.ops.revisions.tracks import Track, host_track

HERE = Path(__file__).parent
COLUMNS = (
    "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'pgauthkit' AND table_name = 'users'"
    " AND column_name IN ('phone', 'locale', 'team_id')"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, to write revisions into."""
    return Path(shutil.copytree(HERE / "migrations", tmp_path / "migrations")).parent


@pytest.fixture
def track() -> Track:
    return track_of(HERE)


def track_of(project: Path) -> Track:
    found = host_track(project, "migrations")
    assert found is not None
    return found


def tell(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements, and return the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_autogenerate(project: Path, pgauthkit_empty_url: str) -> None:
    """The application's autogenerate writes its columns on our users, with keys and indexes, and nothing of ours."""
    track = track_of(project)
    written = project / "migrations" / "versions" / "shop1_add_the_shop.py"
    written.unlink()
    migrate.deploy(pgauthkit_empty_url)
    made = new_revision(pgauthkit_empty_url, track, "Add the shop")
    assert made is not None
    text = made.read_text()
    assert text.count("op.add_column('users'") == text.count("op.drop_column('users'") == 3
    assert "pgauthkit_kind" not in text
    assert text.index("create_table('teams'") < text.index("create_foreign_key(op.f('fk_users_team_id_teams')")
    migrate.deploy(pgauthkit_empty_url, host=track)
    assert new_revision(pgauthkit_empty_url, track, "Nothing") is None
    assert find_drift(pgauthkit_empty_url, host=track) == ()


def test_what_is_gone(project: Path, pgauthkit_url: str) -> None:
    """What the class no longer has is dropped, with its table afterwards; a comment on our table stays."""
    track = track_of(project)
    tell(
        pgauthkit_url,
        "CREATE TABLE badges (id int PRIMARY KEY)",
        "COMMENT ON TABLE pgauthkit.users IS 'people'",
        "ALTER TABLE pgauthkit.users ADD badge_id int REFERENCES badges, ALTER locale SET DEFAULT 'de'",
    )
    made = new_revision(pgauthkit_url, track, "Remove badges")
    assert made is not None
    upgrade, _, downgrade = made.read_text().partition("def downgrade")
    assert upgrade.index("op.drop_column('users', 'badge_id'") < upgrade.index("op.drop_table('badges')")
    assert downgrade.index("op.create_table('badges'") < downgrade.index("op.add_column('users'")
    assert "server_default='en'" in upgrade
    assert "comment" not in made.read_text()
    migrate.deploy(pgauthkit_url, host=track)
    assert new_revision(pgauthkit_url, track, "Nothing") is None


@pytest.mark.parametrize("options", ["", ", include_schemas=True"])
def test_plain_alembic(project: Path, pgauthkit_url: str, options: str) -> None:
    """The application's own `alembic check` is content, whichever schemas it looks at; so is ours."""
    track = track_of(project)
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace("(Base.metadata)", f"(Base.metadata{options})"))
    engine = sa.create_engine(pgauthkit_url)
    with engine.connect() as connection:
        command.check(track.config(connection))
        command.check(alembic_config(connection))
    engine.dispose()


def test_without_our_tables(project: Path, pgauthkit_empty_url: str) -> None:
    """In a database without our users there is nothing to compare the class with."""
    track = track_of(project)
    (project / "migrations" / "versions" / "shop1_add_the_shop.py").unlink()
    engine = sa.create_engine(pgauthkit_empty_url)
    with engine.connect() as connection:
        command.revision(track.config(connection), "Add the shop", autogenerate=True)
    engine.dispose()
    (made,) = (project / "migrations" / "versions").glob("*.py")
    assert "create_table('teams'" in made.read_text()
    assert "'users', sa.Column" not in made.read_text()


def test_whose_column(track: Track, pgauthkit_url: str) -> None:
    """Drift and doctor take the columns for the application's, with its revisions and without; a lost one is named."""
    assert find_drift(pgauthkit_url, host=track) == find_drift(pgauthkit_url) == ()
    report = doctor.examine(doctor.SetUp(url=pgauthkit_url, host=track))
    levels = {one.check: one.level for one in report.findings}
    assert (levels["drift"], levels["columns"]) == ("ok", "ok")
    tell(pgauthkit_url, "ALTER TABLE pgauthkit.users DROP phone, ADD nickname text")
    by_hand, lost, constraint = find_drift(pgauthkit_url, host=track)
    assert by_hand.explanation == "The column pgauthkit.users.nickname is in the database, and no migration makes it."
    assert lost.explanation.startswith("The column pgauthkit.users.phone of Account is missing")
    assert constraint.explanation.startswith("The constraint pgauthkit.users.uq_users_phone of Account is missing")
    assert [one.name for one in find_drift(pgauthkit_url)] == ["pgauthkit.users.nickname"]


def test_undone(track: Track, pgauthkit_url: str) -> None:
    """The application's revision goes down and up again alone; ours go down below it, and leave its columns."""
    tell(pgauthkit_url, "INSERT INTO pgauthkit.users (id, email, phone) VALUES ('c1', 'ada@example.com', '1')")
    assert migrate.plan_rollback(pgauthkit_url, host=track).revisions == ("shop1",)
    rehearsed = migrate.rehearse_rollback(pgauthkit_url, host=track)
    assert (rehearsed.down.undone, rehearsed.up.host) == (("shop1",), ("shop1",))
    last = bundled_revisions()[-2]
    assert migrate.rollback(pgauthkit_url, f"bundled:{last}", host=track).undone == (bundled_revisions()[-1],)
    assert migrate.deploy(pgauthkit_url, host=track).applied == (bundled_revisions()[-1],)
    assert tell(pgauthkit_url, "SELECT phone, pgauthkit_kind FROM pgauthkit.users") == [("1", "user")]
    migrate.rollback(pgauthkit_url, host=track)
    assert tell(pgauthkit_url, COLUMNS) == [(0,)]
    migrate.deploy(pgauthkit_url, host=track)
    assert tell(pgauthkit_url, COLUMNS) == [(3,)]


def test_backup(track: Track, pgauthkit_url: str, pgauthkit_empty_url: str, tmp_path: Path) -> None:
    """A backup carries the columns with their rows, and a database restored from it has no drift."""
    tell(pgauthkit_url, "INSERT INTO pgauthkit.users (id, email, phone) VALUES ('c1', 'ada@example.com', '1')")
    saved = backup.backup(pgauthkit_url, directory=tmp_path, host=track)
    restore.restore(saved.file, pgauthkit_empty_url, host=track)
    assert tell(pgauthkit_empty_url, "SELECT email, phone FROM pgauthkit.users") == [("ada@example.com", "1")]
    assert find_drift(pgauthkit_empty_url, host=track) == ()


def test_drawn() -> None:
    """Studio and diagram show the class in the place of `User`, with its columns and keys."""
    models = erd.mapped_classes("shop:Base")
    assert models == (Account, MagicLink, Session, Device, RateLimit, Post, Team)
    assert {Note, Order} < {*erd.mapped_classes("shop:Base,shop:ShopBase,shop:Order")}
    drawn = erd.diagram(Base.metadata)
    assert "text phone UK" in drawn
    assert '"teams" |o..o{ "pgauthkit.users" : "team_id"' in drawn

"""The steps of the demo, called as a library: they return what they tell, and a claim that fails is an error."""

import pytest
from sqlalchemy import create_engine, text

from pgauthkit.errors import PgAuthKitError, SessionRevokedError, TokenExpiredError
from pgauthkit.ops.demo import Demo, kept_hash, look_at
from pgauthkit.ops.demo.claims import Refusal, prove
from pgauthkit.ops.demo.rows import Search, search
from pgauthkit.tokens import Kind, SecretToken, SessionToken

LINK, SESSION = SecretToken.new(0), SessionToken.new(0)
TOKENS = [
    LINK.text(Kind.MAGIC_LINK),
    LINK.text(Kind.HANDOFF),
    LINK.text(Kind.DEVICE),
    SESSION.text(Kind.ACCESS),
    SESSION.text(Kind.REFRESH),
]


class TestSteps:
    def test_steps(self, pgauthkit_url: str) -> None:
        """Each step gives the next what it needs."""
        with Demo(pgauthkit_url) as demo:
            assert demo.deploy().applied == ()
            seeded = demo.seed()
            link = demo.ask_for_link()
            used = demo.open_link(link)
            first = used.signed_in.tokens
            assert (seeded.user_id, False) == (used.signed_in.user.user_id, used.signed_in.created)
            assert seeded.role == demo.authenticate(first).role
            tabs = demo.refresh_from_two_tabs(first)
            assert (tabs.first, 1, 1) == (tabs.second, tabs.rotations, tabs.converged)
            assert "used again after its successor" in str(demo.replay(first, tabs.first).refresh)
            assert seeded.user_id == demo.sign_in_and_out().signed_in.user.user_id
            handed = demo.hand_off()
            assert (handed.preview.asked_browser, handed.preview.handoff) == ("Firefox on Linux", True)
            assert "attempts left: 2" in str(handed.wrong)
            assert seeded.user_id == handed.signed_in.user.user_id
            found = demo.look_at_rest()
            assert Search(secrets=17, found=0, hashes=15, rows=14) == found.search
            demo.remove_rows()
            with pytest.raises(PgAuthKitError, match="does not find the hashes either"):
                demo.look_at_rest()

    def test_seed_takes_over(self, pgauthkit_url: str) -> None:
        """A user that is there already, even a deactivated one, keeps the id and becomes an admin."""
        engine = create_engine(pgauthkit_url)
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO pgauthkit.users (id, email, is_active) VALUES ('c1', 'ada@demo.example', false)")
            )
        engine.dispose()
        with Demo(pgauthkit_url) as demo:
            seeded = demo.seed()
            assert (seeded.user_id, seeded.role) == ("c1", "ADMIN")
            assert demo.ask_for_link().should_send

    def test_look_at(self, pgauthkit_url: str) -> None:
        """A server says its version and the name of the database."""
        server = look_at(pgauthkit_url)
        assert (server.version.partition(".")[0], pgauthkit_url.find(server.database) > 0) == ("16", True)


class TestSearch:
    @pytest.mark.parametrize("number", range(5))
    def test_finds(self, number: int) -> None:
        """A secret is found as a token, as a token without its prefix, as the bytes of either, and as bare bytes."""
        token = TOKENS[number]
        secret = LINK.secret if number < 3 else SESSION.secret
        words = token.reveal()
        for kept in (words, f"x{words[8:]}x", words.encode(), words[8:].encode(), b"x" + secret, secret.hex()):
            assert Search(secrets=1, found=1, hashes=0, rows=1) == search({"t": [{"a": None, "b": kept}]}, [token])

    def test_finds_hashes(self) -> None:
        """Hashes are found apart from secrets, and each token's own."""
        rows = [{"a": kept_hash(token)} for token in TOKENS[:4]]
        assert Search(secrets=5, found=0, hashes=4, rows=4) == search({"t": rows}, TOKENS)


class TestClaims:
    def test_claim(self) -> None:
        """A claim that does not hold is an error; one that does is nothing."""
        prove(claim=True, otherwise="No.")
        with pytest.raises(PgAuthKitError, match=r"^No\.$"):
            prove(claim=False, otherwise="No.")

    def test_no_refusal(self) -> None:
        """Not to be refused where a refusal is due is an error."""
        with pytest.raises(PgAuthKitError, match="SessionRevokedError was due"), Refusal(SessionRevokedError):
            pass

    def test_another_refusal(self) -> None:
        """Another error than the one that is due goes on."""
        with pytest.raises(TokenExpiredError), Refusal(SessionRevokedError):
            raise TokenExpiredError

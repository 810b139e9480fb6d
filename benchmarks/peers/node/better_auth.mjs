// better-auth with its magic-link plugin, on a pool of pg; `--work migrate` makes its tables.
import { createHmac } from "node:crypto";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { magicLink } from "better-auth/plugins";
import pg from "pg";
import { ask, databaseUrl, endless, fresh, order, sample, serve, someUser } from "./block.mjs";

const secret = "a secret of the benchmark, known to everybody";
const pool = new pg.Pool({ connectionString: databaseUrl, max: order.clients });
const auth = betterAuth({
  baseURL: "http://localhost:3000",
  secret,
  database: pool,
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  // With 0 every look at a session extends it: the nearest that there is to a refresh.
  session: { expiresIn: 30 * 86_400, updateAge: order.work === "refresh" ? 0 : 86_400 },
  plugins: [magicLink({ expiresIn: 900, sendMagicLink() {} })],
});
const context = await auth.$context;

/** The headers with a session's cookie, as a browser sends it. */
function headersOf(sessionToken) {
  const signature = createHmac("sha256", secret).update(sessionToken).digest("base64");
  const value = encodeURIComponent(`${sessionToken}.${signature}`);
  return new Headers({ cookie: `${context.authCookies.sessionToken.name}=${value}` });
}
async function getSession(headers) {
  if (!(await auth.api.getSession({ headers }))) throw new Error("no session");
}
const newLinks = (count) =>
  ask(
    `WITH made AS MATERIALIZED (SELECT encode(sha256(gen_random_uuid()::text::bytea), 'hex') AS token, ${someUser} AS email
       FROM generate_series(1, $1))
     INSERT INTO verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt")
     SELECT token, 'magic-link:' || token, json_build_object('type', 'magic-link', 'email', email)::text,
            now() + interval '1 hour', now(), now() FROM made RETURNING id`,
    count,
  );

const works = {
  async migrate() {
    await (await getMigrations(auth.options)).runMigrations();
  },
  async authenticate() {
    await serve(endless((await sample("session", "token")).map(headersOf)), getSession);
  },
  async refresh() {
    await serve(endless((await sample("session", "token", { own: true })).map(headersOf)), getSession);
  },
  async find_unique() {
    await serve(endless(await sample('"user"', "email")), async (email) => {
      if (!(await context.internalAdapter.findUserByEmail(email))?.user) throw new Error("no user");
    });
  },
  async include() {
    await serve(endless(await sample('"user"', "id")), (id) =>
      context.adapter.findMany({
        model: "user", where: [{ field: "id", operator: "gt", value: id }],
        sortBy: { field: "id", direction: "asc" }, limit: 100, join: { session: true },
      }));
  },
  async verify_link() {
    await serve(fresh(newLinks), async (link) => {
      const found = await auth.api.magicLinkVerify({ query: { token: link }, headers: new Headers() });
      if (!found.token) throw new Error("no session");
    });
  },
};

await works[order.work]();
await pool.end();

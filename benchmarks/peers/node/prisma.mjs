// Prisma 7 with @prisma/adapter-pg: its defaults, or `tuned` with joins in the database and named prepared statements.
import { createHash } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import { BULK, ask, databaseUrl, endless, fresh, inDays, order, sample, serve, serveBatches, someUser, token } from "./block.mjs";

const tuned = order.variant === "tuned";
const { PrismaClient } = await import(tuned ? "./client/joins/client.js" : "./client/plain/client.js");
const join = tuned ? { relationLoadStrategy: "join" } : {};

const names = new Map();
function statementNameGenerator({ sql }) {
  if (!names.has(sql)) names.set(sql, "p" + createHash("sha1").update(sql).digest("hex").slice(0, 20));
  return names.get(sql);
}
const adapter = new PrismaPg(
  { connectionString: databaseUrl, max: order.clients },
  tuned ? { statementNameGenerator } : undefined,
);
const prisma = new PrismaClient({ adapter });

const newTokens = () => ({ accessToken: token(), refreshToken: token(), expiresAt: inDays(30) });
const newLinks = (count) =>
  ask(
    `INSERT INTO "MagicLink" ("id", "token", "email", "expiresAt")
     SELECT 'l' || gen_random_uuid(), encode(sha256(gen_random_uuid()::text::bytea), 'hex'), ${someUser},
            now() AT TIME ZONE 'utc' + interval '1 hour'
     FROM generate_series(1, $1) RETURNING "token"`,
    count,
  );

const works = {
  async authenticate() {
    await serve(endless(await sample('"Session"', '"accessToken"')), async (accessToken) => {
      const session = await prisma.session.findUnique({ where: { accessToken }, include: { user: true }, ...join });
      if (!session || session.expiresAt <= new Date() || !session.user.isActive) throw new Error("no session");
    });
  },
  async find_unique() {
    await serve(endless(await sample('"User"', "email")), async (email) => {
      if (!(await prisma.user.findUnique({ where: { email } }))) throw new Error("no user");
    });
  },
  async include() {
    await serve(endless(await sample('"User"', "id")), (id) =>
      prisma.user.findMany({
        where: { id: { gt: id } }, orderBy: { id: "asc" }, take: 100, include: { sessions: true }, ...join,
      }));
  },
  async find_many() {
    await serve(endless(await sample('"User"', "id")), (id) =>
      prisma.user.findMany({ where: { id: { gt: id } }, orderBy: { id: "asc" }, take: 100 }));
  },
  async page() {
    // One more than is shown tells whether there is a next page.
    await serve(endless(await sample('"User"', "id")), (id) =>
      prisma.user.findMany({ cursor: { id }, skip: 1, orderBy: { id: "asc" }, take: 101 }));
  },
  async create() {
    await serve(endless(await sample('"User"', "email")), (email) =>
      prisma.magicLink.create({ data: { token: token(), email, expiresAt: inDays(0.01) } }));
  },
  async update() {
    await serve(endless(await sample('"User"', "email")), (email) =>
      prisma.user.update({ where: { email }, data: { lastLoginAt: new Date() } }));
  },
  async upsert() {
    await serve(endless(await sample('"User"', "email")), (email) =>
      prisma.user.upsert({ where: { email }, create: { email }, update: { lastLoginAt: new Date() } }));
  },
  async verify_link() {
    await serve(fresh(newLinks), (link) =>
      prisma.$transaction(async (transaction) => {
        const now = new Date();
        const { email } = await transaction.magicLink.update({
          where: { token: link, usedAt: null, expiresAt: { gt: now } }, data: { usedAt: now },
        });
        const user = await transaction.user.update({ where: { email }, data: { lastLoginAt: now } });
        await transaction.session.create({ data: { ...newTokens(), userId: user.id } });
      }));
  },
  async refresh() {
    const boxes = (await sample('"Session"', '"refreshToken"', { own: true })).map((refreshToken) => ({ refreshToken }));
    await serve(endless(boxes), async (box) => {
      const where = { refreshToken: box.refreshToken, expiresAt: { gt: new Date() } };
      box.refreshToken = (await prisma.session.update({ where, data: newTokens() })).refreshToken;
    });
  },
  async create_many() {
    const emails = () => Array.from({ length: BULK }, (_, n) => ({ email: `bulk-${token().slice(0, 8)}-${n}@example.com` }));
    await serveBatches(emails, (data) => prisma.user.createMany({ data }),
      () => ask(`DELETE FROM "User" WHERE email LIKE 'bulk-%'`));
  },
};

await works[order.work]();
await prisma.$disconnect();

-- Tables of those that map a schema of one's own: what Prisma's migrations make of node/plain.prisma.
-- A unique constraint is an index already; there is no second one on the same column.
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');
CREATE TABLE "User" (
    "id" TEXT PRIMARY KEY,
    "email" TEXT NOT NULL,
    "role" "Role" NOT NULL DEFAULT 'USER',
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "lastLoginAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL
);
CREATE TABLE "MagicLink" (
    "id" TEXT PRIMARY KEY,
    "token" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "userId" TEXT REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE TABLE "Session" (
    "id" TEXT PRIMARY KEY,
    "accessToken" TEXT NOT NULL,
    "refreshToken" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "userId" TEXT NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "User" ("id", "email", "updatedAt") SELECT id, email, now() AT TIME ZONE 'utc' FROM pgauthkit.users;
INSERT INTO "Session" ("id", "accessToken", "refreshToken", "expiresAt", "userId")
    SELECT id, rtrim(translate(encode(sha256(('access ' || id)::bytea), 'base64'), '+/', '-_'), '='),
           rtrim(translate(encode(sha256(('refresh ' || id)::bytea), 'base64'), '+/', '-_'), '='),
           expires_at AT TIME ZONE 'utc', user_id
    FROM pgauthkit.sessions;
INSERT INTO "MagicLink" ("id", "token", "email", "expiresAt")
    SELECT id, encode(token_hash, 'hex'), email, expires_at AT TIME ZONE 'utc' FROM pgauthkit.magic_links;
CREATE UNIQUE INDEX ON "User" ("email");
CREATE UNIQUE INDEX ON "MagicLink" ("token");
CREATE INDEX ON "MagicLink" ("expiresAt");
CREATE INDEX ON "MagicLink" ("userId");
CREATE UNIQUE INDEX ON "Session" ("accessToken");
CREATE UNIQUE INDEX ON "Session" ("refreshToken");
CREATE INDEX ON "Session" ("expiresAt");
CREATE INDEX ON "Session" ("userId");

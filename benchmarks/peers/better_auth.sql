-- As many rows as pgauthkit has, in the tables that better-auth's own migrations made.
INSERT INTO "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt")
    SELECT id, '', email, true, now(), now() FROM pgauthkit.users;
INSERT INTO "session" ("id", "token", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent", "userId")
    SELECT id, md5('token ' || id), expires_at, now(), now(), '', '', user_id FROM pgauthkit.sessions;

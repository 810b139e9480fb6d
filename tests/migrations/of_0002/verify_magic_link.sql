/*NO LOAD BALANCE*/ WITH locked AS MATERIALIZED 
(SELECT pgauthkit.magic_links.id AS id, pgauthkit.magic_links.email AS email, pgauthkit.magic_links.redirect_to AS redirect_to, pgauthkit.magic_links.used_at AS used_at, pgauthkit.magic_links.revoked_at AS revoked_at, pgauthkit.magic_links.expires_at AS expires_at, pgauthkit.magic_links.binding_hash AS binding_hash, pgauthkit.magic_links.code_hash AS code_hash, pgauthkit.magic_links.attempts AS attempts 
FROM pgauthkit.magic_links 
WHERE pgauthkit.magic_links.token_hash = CAST(%(token_hash)s AS BYTEA) FOR UPDATE), 
judged AS MATERIALIZED 
(SELECT locked.id AS id, locked.email AS email, locked.redirect_to AS redirect_to, locked.code_hash AS code_hash, locked.attempts AS attempts, CASE WHEN (locked.used_at IS NOT NULL) THEN 'used' WHEN (locked.revoked_at IS NOT NULL OR locked.expires_at <= statement_timestamp()) THEN 'expired' WHEN (locked.binding_hash IS NULL AND %(require_binding)s) THEN 'binding' WHEN (locked.binding_hash IS NOT NULL AND NOT coalesce(locked.binding_hash = CAST(%(binding_hash)s AS BYTEA), false)) THEN 'binding' ELSE 'ok' END AS verdict 
FROM locked), 
touched AS 
(UPDATE pgauthkit.users SET last_login_at=statement_timestamp(), updated_at=statement_timestamp() FROM judged WHERE judged.verdict = 'ok' AND pgauthkit.users.email = judged.email AND pgauthkit.users.is_active RETURNING pgauthkit.users.id, pgauthkit.users.email, pgauthkit.users.role), 
created AS 
(INSERT INTO pgauthkit.users (id, email, last_login_at, created_at, updated_at) SELECT %(user_id)s::VARCHAR AS anon_1, judged.email AS email, statement_timestamp() AS statement_timestamp_1, statement_timestamp() AS statement_timestamp__1, statement_timestamp() AS statement_timestamp__2 
FROM judged 
WHERE judged.verdict = 'ok' AND %(allow_sign_up)s AND NOT (EXISTS (SELECT touched.id 
FROM touched)) ON CONFLICT (email) DO UPDATE SET last_login_at = excluded.last_login_at, updated_at = excluded.updated_at WHERE pgauthkit.users.is_active RETURNING pgauthkit.users.id, pgauthkit.users.email, pgauthkit.users.role), 
who AS 
(SELECT touched.id AS id, touched.email AS email, touched.role AS role 
FROM touched UNION ALL SELECT created.id AS id, created.email AS email, created.role AS role 
FROM created), 
consumed AS 
(UPDATE pgauthkit.magic_links SET used_at=statement_timestamp(), user_id=who.id FROM judged, who WHERE pgauthkit.magic_links.id = judged.id AND who.id IS NOT NULL), 
killed AS 
(UPDATE pgauthkit.magic_links SET revoked_at=statement_timestamp() WHERE pgauthkit.magic_links.id IN (SELECT other.id 
FROM pgauthkit.magic_links AS other 
WHERE other.email = (SELECT judged.email 
FROM judged) AND (EXISTS (SELECT who.id 
FROM who)) AND other.used_at IS NULL AND other.revoked_at IS NULL AND (other.id NOT IN (SELECT judged.id 
FROM judged)) FOR UPDATE OF other SKIP LOCKED)), 
opened AS 
(INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash, authenticated_at, last_used_at, access_expires_at, idle_expires_at, expires_at, ip, user_agent, created_at, user_id) SELECT %(session_id)s::VARCHAR AS anon_4, CAST(%(selector_hash)s AS BYTEA) AS anon_5, CAST(%(access_token_hash)s AS BYTEA) AS anon_6, CAST(%(refresh_token_hash)s AS BYTEA) AS anon_7, statement_timestamp() AS statement_timestamp_1, statement_timestamp() AS statement_timestamp__1, statement_timestamp() + least(CAST(%(access_ttl)s AS DOUBLE PRECISION) * interval '1 second', CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second') AS anon_8, statement_timestamp() + least(CAST(%(session_idle_ttl)s AS DOUBLE PRECISION) * interval '1 second', CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second') AS anon_9, statement_timestamp() + CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second' AS anon_10, %(ip)s::VARCHAR AS anon_11, %(user_agent)s::VARCHAR AS anon_12, statement_timestamp() AS statement_timestamp__2, who.id AS id 
FROM who RETURNING pgauthkit.sessions.authenticated_at, pgauthkit.sessions.access_expires_at, least(pgauthkit.sessions.idle_expires_at, pgauthkit.sessions.expires_at) AS ends_at)
 SELECT judged.verdict, EXISTS (SELECT pgauthkit.users.id 
FROM pgauthkit.users 
WHERE pgauthkit.users.email = judged.email) AS anon_2, judged.email, judged.redirect_to, who.id = %(user_id)s::VARCHAR AS anon_3, who.id, who.email AS email_1, who.role, opened.authenticated_at, opened.access_expires_at, opened.ends_at, statement_timestamp() AS statement_timestamp_1 
FROM judged LEFT OUTER JOIN who ON true LEFT OUTER JOIN opened ON true

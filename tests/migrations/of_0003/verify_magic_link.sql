/*NO LOAD BALANCE*/ WITH locked AS MATERIALIZED 
(SELECT pgauthkit.magic_links.id AS id, pgauthkit.magic_links.email AS email, pgauthkit.magic_links.redirect_to AS redirect_to, pgauthkit.magic_links.used_at AS used_at, pgauthkit.magic_links.revoked_at AS revoked_at, pgauthkit.magic_links.expires_at AS expires_at, pgauthkit.magic_links.binding_hash AS binding_hash, pgauthkit.magic_links.code_hash AS code_hash, pgauthkit.magic_links.attempts AS attempts, pgauthkit.magic_links.purpose AS purpose, pgauthkit.magic_links.role AS role, pgauthkit.magic_links.created_at AS created_at, pgauthkit.magic_links.approved_at AS approved_at, pgauthkit.magic_links.session_id AS session_id, pgauthkit.magic_links.session_nonce AS session_nonce 
FROM pgauthkit.magic_links 
WHERE pgauthkit.magic_links.token_hash = CAST(%(token_hash)s AS BYTEA) AND pgauthkit.magic_links.purpose != 'email_change' FOR UPDATE), 
judged AS MATERIALIZED 
(SELECT locked.id AS id, locked.email AS email, locked.redirect_to AS redirect_to, locked.code_hash AS code_hash, locked.attempts AS attempts, locked.purpose AS purpose, locked.role AS role, locked.session_id AS session_id, locked.session_nonce AS session_nonce, locked.binding_hash IS NOT NULL AS is_bound, CASE WHEN (locked.used_at > statement_timestamp() - CAST(%(refresh_grace)s AS DOUBLE PRECISION) * interval '1 second' AND locked.session_id IS NOT NULL AND locked.approved_at IS NULL AND coalesce(locked.binding_hash = CAST(%(binding_hash)s AS BYTEA), false)) THEN 'again' WHEN (locked.used_at IS NOT NULL OR locked.approved_at IS NOT NULL) THEN 'used' WHEN (locked.revoked_at IS NOT NULL OR locked.expires_at <= statement_timestamp() OR locked.purpose = 'invite' AND locked.created_at + CAST(%(magic_link_ttl)s AS DOUBLE PRECISION) * interval '1 second' <= statement_timestamp() AND (EXISTS (SELECT pgauthkit.users.id 
FROM pgauthkit.users 
WHERE pgauthkit.users.email = locked.email))) THEN 'expired' WHEN (locked.binding_hash IS NULL AND %(require_binding)s AND locked.purpose != 'invite') THEN 'binding' WHEN (locked.binding_hash IS NOT NULL AND NOT coalesce(locked.binding_hash = CAST(%(binding_hash)s AS BYTEA), false)) THEN 'binding' ELSE 'ok' END AS verdict 
FROM locked), 
touched AS 
(UPDATE pgauthkit.users SET last_login_at=statement_timestamp(), updated_at=statement_timestamp() FROM judged WHERE judged.verdict = 'ok' AND pgauthkit.users.email = judged.email AND pgauthkit.users.is_active RETURNING pgauthkit.users.id, pgauthkit.users.email, pgauthkit.users.role), 
created AS 
(INSERT INTO pgauthkit.users (id, email, role, last_login_at, created_at, updated_at) SELECT %(user_id)s::VARCHAR AS anon_1, judged.email AS email, coalesce(judged.role, 'USER') AS coalesce_1, statement_timestamp() AS statement_timestamp_1, statement_timestamp() AS statement_timestamp__1, statement_timestamp() AS statement_timestamp__2 
FROM judged 
WHERE judged.verdict = 'ok' AND (%(allow_sign_up)s OR judged.purpose = 'invite') AND NOT (EXISTS (SELECT touched.id 
FROM touched)) ON CONFLICT (email) DO UPDATE SET last_login_at = excluded.last_login_at, updated_at = excluded.updated_at WHERE pgauthkit.users.is_active RETURNING pgauthkit.users.id, pgauthkit.users.email, pgauthkit.users.role), 
who AS 
(SELECT touched.id AS id, touched.email AS email, touched.role AS role 
FROM touched UNION ALL SELECT created.id AS id, created.email AS email, created.role AS role 
FROM created), 
consumed AS 
(UPDATE pgauthkit.magic_links SET used_at=statement_timestamp(), session_id=CASE WHEN judged.is_bound THEN %(session_id)s::VARCHAR END, session_nonce=CASE WHEN judged.is_bound THEN CAST(%(session_nonce)s AS BYTEA) END, user_id=who.id FROM judged, who WHERE pgauthkit.magic_links.id = judged.id AND who.id IS NOT NULL), 
killed AS 
(UPDATE pgauthkit.magic_links SET revoked_at=statement_timestamp() WHERE pgauthkit.magic_links.id IN (SELECT other.id 
FROM pgauthkit.magic_links AS other 
WHERE other.email = (SELECT judged.email 
FROM judged) AND (EXISTS (SELECT who.id 
FROM who)) AND other.used_at IS NULL AND other.revoked_at IS NULL AND other.purpose != 'email_change' AND (other.id NOT IN (SELECT judged.id 
FROM judged)) FOR UPDATE OF other SKIP LOCKED)), 
kept_device AS 
(UPDATE pgauthkit.devices SET token_hash=CAST(%(kept_device_hash)s AS BYTEA), ip=coalesce(%(ip)s::VARCHAR, pgauthkit.devices.ip), user_agent=coalesce(%(user_agent)s::VARCHAR, pgauthkit.devices.user_agent), last_used_at=statement_timestamp(), expires_at=(statement_timestamp() + CAST(%(device_ttl)s AS DOUBLE PRECISION) * interval '1 second') FROM who WHERE pgauthkit.devices.token_hash = CAST(%(device_hash)s AS BYTEA) AND pgauthkit.devices.user_id = who.id AND pgauthkit.devices.expires_at > statement_timestamp() RETURNING pgauthkit.devices.id), 
made_device AS 
(INSERT INTO pgauthkit.devices (id, token_hash, ip, user_agent, created_at, last_used_at, expires_at, user_id) SELECT %(new_device_id)s::VARCHAR AS anon_13, CAST(%(new_device_hash)s AS BYTEA) AS anon_14, %(ip)s::VARCHAR AS anon_15, %(user_agent)s::VARCHAR AS anon_16, statement_timestamp() AS statement_timestamp_1, statement_timestamp() AS statement_timestamp__1, statement_timestamp() + CAST(%(device_ttl)s AS DOUBLE PRECISION) * interval '1 second' AS anon_17, who.id AS id 
FROM who 
WHERE NOT (EXISTS (SELECT kept_device.id 
FROM kept_device)) RETURNING pgauthkit.devices.id), 
opened AS 
(INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash, authenticated_at, last_used_at, access_expires_at, idle_expires_at, expires_at, ip, user_agent, device_id, created_at, user_id) SELECT %(session_id)s::VARCHAR AS anon_4, CAST(%(selector_hash)s AS BYTEA) AS anon_5, CAST(%(access_token_hash)s AS BYTEA) AS anon_6, CAST(%(refresh_token_hash)s AS BYTEA) AS anon_7, statement_timestamp() AS statement_timestamp_1, statement_timestamp() AS statement_timestamp__1, statement_timestamp() + least(CAST(%(access_ttl)s AS DOUBLE PRECISION) * interval '1 second', CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second') AS anon_8, statement_timestamp() + least(CAST(%(session_idle_ttl)s AS DOUBLE PRECISION) * interval '1 second', CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second') AS anon_9, statement_timestamp() + CAST(%(session_ttl)s AS DOUBLE PRECISION) * interval '1 second' AS anon_10, %(ip)s::VARCHAR AS anon_11, %(user_agent)s::VARCHAR AS anon_12, coalesce((SELECT kept_device.id 
FROM kept_device), (SELECT made_device.id 
FROM made_device)) AS coalesce_10, statement_timestamp() AS statement_timestamp__2, who.id AS id 
FROM who RETURNING pgauthkit.sessions.authenticated_at, pgauthkit.sessions.access_expires_at, least(pgauthkit.sessions.idle_expires_at, pgauthkit.sessions.expires_at) AS ends_at, CASE WHEN (pgauthkit.sessions.device_id = %(new_device_id)s::VARCHAR) THEN CAST(%(new_device_hash)s AS BYTEA) ELSE CAST(%(kept_device_hash)s AS BYTEA) END AS device_hash), 
earlier AS 
(SELECT pgauthkit.sessions.id AS id, pgauthkit.sessions.user_id AS user_id, pgauthkit.users.email AS email, pgauthkit.users.role AS role, pgauthkit.sessions.authenticated_at AS authenticated_at, pgauthkit.sessions.access_expires_at AS access_expires_at, least(pgauthkit.sessions.idle_expires_at, pgauthkit.sessions.expires_at) AS ends_at, pgauthkit.sessions.access_token_hash AS access_token_hash, CASE WHEN (pgauthkit.sessions.revoked_at IS NULL AND pgauthkit.sessions.generation = 0 AND pgauthkit.users.is_active AND least(pgauthkit.sessions.access_expires_at, least(pgauthkit.sessions.idle_expires_at, pgauthkit.sessions.expires_at)) > statement_timestamp()) THEN 'again' ELSE 'used' END AS state, (SELECT pgauthkit.devices.token_hash 
FROM pgauthkit.devices 
WHERE pgauthkit.devices.id = pgauthkit.sessions.device_id) AS device_hash 
FROM judged JOIN pgauthkit.sessions ON pgauthkit.sessions.id = judged.session_id JOIN pgauthkit.users ON pgauthkit.users.id = pgauthkit.sessions.user_id 
WHERE judged.verdict = 'again')
 SELECT CASE WHEN (judged.verdict = 'again') THEN coalesce(earlier.state, 'retry') ELSE judged.verdict END AS anon_2, EXISTS (SELECT pgauthkit.users.id 
FROM pgauthkit.users 
WHERE pgauthkit.users.email = judged.email) AS anon_3, judged.email, judged.redirect_to, judged.session_nonce, earlier.access_token_hash, earlier.id, coalesce(who.id = %(user_id)s::VARCHAR, false) AS coalesce_2, coalesce(who.id, earlier.user_id) AS coalesce_3, coalesce(who.email, earlier.email) AS coalesce_4, coalesce(who.role, earlier.role) AS coalesce_5, coalesce(opened.authenticated_at, earlier.authenticated_at) AS coalesce_6, coalesce(opened.access_expires_at, earlier.access_expires_at) AS coalesce_7, coalesce(opened.ends_at, earlier.ends_at) AS coalesce_8, coalesce(opened.device_hash, earlier.device_hash) AS coalesce_9, statement_timestamp() AS statement_timestamp_1 
FROM judged LEFT OUTER JOIN who ON true LEFT OUTER JOIN opened ON true LEFT OUTER JOIN earlier ON true

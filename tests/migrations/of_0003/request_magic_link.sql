/*NO LOAD BALANCE*/ WITH link AS 
(INSERT INTO pgauthkit.magic_links (id, token_hash, code_hash, binding_hash, handoff_hash, match_hash, email, redirect_to, ip, user_agent, expires_at, created_at) SELECT %(link_id)s::VARCHAR AS anon_2, CAST(%(token_hash)s AS BYTEA) AS anon_3, %(code_hash)s::VARCHAR AS anon_4, CAST(%(binding_hash)s AS BYTEA) AS anon_5, CAST(%(handoff_hash)s AS BYTEA) AS anon_6, CAST(%(match_hash)s AS BYTEA) AS anon_7, %(email)s::VARCHAR AS anon_8, %(redirect_to)s::VARCHAR AS anon_9, %(ip)s::VARCHAR AS anon_10, %(user_agent)s::VARCHAR AS anon_11, statement_timestamp() + CAST(%(magic_link_ttl)s AS DOUBLE PRECISION) * interval '1 second' AS anon_12, statement_timestamp() AS statement_timestamp_1 RETURNING pgauthkit.magic_links.expires_at)
 SELECT link.expires_at, interval '0', coalesce((SELECT CASE WHEN (nearest.email = %(email)s::VARCHAR) THEN nearest.is_active END AS anon_1 
FROM (SELECT pgauthkit.users.email AS email, pgauthkit.users.is_active AS is_active 
FROM pgauthkit.users 
WHERE pgauthkit.users.email >= %(email)s::VARCHAR ORDER BY pgauthkit.users.email 
 LIMIT 1) AS nearest), %(allow_sign_up)s) AS coalesce_1 
FROM link

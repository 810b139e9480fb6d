/*NO LOAD BALANCE*/ WITH locked AS MATERIALIZED 
(SELECT pgauthkit.sessions.id AS id, pgauthkit.sessions.user_id AS user_id, least(pgauthkit.sessions.idle_expires_at, pgauthkit.sessions.expires_at) AS ends_at, coalesce(pgauthkit.sessions.access_token_hash = CAST(%(access_token_hash)s AS BYTEA) OR pgauthkit.sessions.previous_access_token_hash = CAST(%(access_token_hash)s AS BYTEA), false) AS is_held 
FROM pgauthkit.sessions 
WHERE pgauthkit.sessions.selector_hash = CAST(%(selector_hash)s AS BYTEA) AND pgauthkit.sessions.revoked_at IS NULL FOR NO KEY UPDATE), 
ended AS 
(UPDATE pgauthkit.sessions SET revoked_at=statement_timestamp() FROM locked WHERE pgauthkit.sessions.id = locked.id AND locked.is_held)
 SELECT locked.is_held, locked.id, locked.user_id 
FROM locked 
WHERE locked.is_held OR locked.ends_at > statement_timestamp()

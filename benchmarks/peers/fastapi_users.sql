-- As many rows as pgauthkit has, in the tables of fastapi-users' own models.
INSERT INTO fastapi_user (id, email, hashed_password, is_active, is_superuser, is_verified)
    SELECT md5(id)::uuid, email, '!', true, false, true FROM pgauthkit.users;
INSERT INTO fastapi_accesstoken (token, created_at, user_id)
    SELECT rtrim(translate(encode(sha256(('access ' || id)::bytea), 'base64'), '+/', '-_'), '='), now(),
           md5(user_id)::uuid
    FROM pgauthkit.sessions;

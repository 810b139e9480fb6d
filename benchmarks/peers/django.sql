-- As many users as pgauthkit has, in the tables of Django's own migrations; its sessions are signed, and so written by it.
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
    SELECT '!', false, email, '', '', email, false, true, now() FROM pgauthkit.users;

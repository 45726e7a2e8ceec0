-- name: token
SELECT id, name, kind, scopes, made_at, expires_at, revoked_at
FROM tokens
WHERE hash = :hash;

-- name: tokens
SELECT id, name, kind, scopes, made_at, expires_at, revoked_at
FROM tokens
WHERE kind = 'token' AND revoked_at IS NULL
ORDER BY id;

-- name: add
-- A secret that is known already stays as it is, also when it was revoked.
INSERT INTO tokens (name, kind, hash, scopes, made_at, expires_at)
VALUES (:name, :kind, :hash, :scopes, :made_at, :expires_at)
ON CONFLICT (hash) DO NOTHING
RETURNING id, name, kind, scopes, made_at, expires_at, revoked_at;

-- name: revoke
UPDATE tokens SET revoked_at = :at
WHERE id = :id AND revoked_at IS NULL
RETURNING id, name, kind, scopes, made_at, expires_at, revoked_at;

-- name: forget_sessions_due
DELETE FROM tokens WHERE kind = 'session' AND expires_at <= :at;

-- name: add_login
INSERT INTO logins (hash, scopes, expires_at) VALUES (:hash, :scopes, :expires_at);

-- name: take_login
DELETE FROM logins WHERE hash = :hash AND expires_at > :at RETURNING scopes;

-- name: forget_logins_due
DELETE FROM logins WHERE expires_at <= :at;

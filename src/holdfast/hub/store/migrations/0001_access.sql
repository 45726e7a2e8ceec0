-- Single facts of the hub, who may ask it, and logins that wait to be used.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Only the hash of a secret is kept. A revoked row stays, so that the same secret never comes back.
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    made_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    revoked_at DOUBLE PRECISION
);
CREATE INDEX tokens_session ON tokens (expires_at) WHERE kind = 'session';

CREATE TABLE logins (
    hash TEXT PRIMARY KEY,
    scopes TEXT NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX logins_expiry ON logins (expires_at);

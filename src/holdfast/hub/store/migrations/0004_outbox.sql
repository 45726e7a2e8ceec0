-- What is to be told, the messages it travels in, and how each channel does.
CREATE TABLE intents (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    check_name TEXT NOT NULL,
    incident INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    facts TEXT NOT NULL,
    batch TEXT,
    dropped INTEGER NOT NULL
);
CREATE INDEX intents_loose ON intents (id) WHERE batch IS NULL AND dropped = 0;
CREATE INDEX intents_incident ON intents (check_name, incident);
CREATE INDEX intents_batch ON intents (batch);

-- `id` is the order in which a channel gets them, `given` how many tries may have arrived.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    given INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until DOUBLE PRECISION,
    next_try_at DOUBLE PRECISION NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    last_error TEXT NOT NULL
);
CREATE INDEX batches_undelivered ON batches (channel, id) WHERE state IN ('pending', 'sending');
CREATE INDEX batches_ended ON batches (updated_at) WHERE state NOT IN ('pending', 'sending');

-- `broken` is why a channel refused its last message, `failing_at` since when it takes none.
CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    broken TEXT NOT NULL,
    failing_at DOUBLE PRECISION,
    delivered_at DOUBLE PRECISION
);

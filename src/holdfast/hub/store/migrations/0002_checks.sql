-- What is expected to succeed on time, the newest pings, and what the machines and the hub itself have told.
CREATE TABLE checks (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    spec TEXT NOT NULL,
    evidence TEXT NOT NULL,
    alert TEXT NOT NULL,
    severity TEXT NOT NULL,
    confirmed TEXT NOT NULL,
    look_at DOUBLE PRECISION,
    probe_at DOUBLE PRECISION,
    paused INTEGER NOT NULL,
    pings INTEGER NOT NULL
);
-- What is due is found here; a check of which nothing can change stands in none of them.
CREATE INDEX checks_look ON checks (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX checks_probe ON checks (probe_at) WHERE probe_at IS NOT NULL;
CREATE INDEX checks_bad ON checks (name) WHERE confirmed <> 'ok';

CREATE TABLE pings (
    check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    signal TEXT NOT NULL,
    exit_code INTEGER,
    run TEXT NOT NULL,
    method TEXT NOT NULL,
    agent TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (check_id, number)
);

-- `seq` is the order of arrival here, `id` the one of the machine.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    id INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts TEXT NOT NULL,
    UNIQUE (machine, id)
);
CREATE INDEX events_subject ON events (subject, seq);

-- What the hub has to tell the journal; the newest row stays, so that no id is given twice.
CREATE TABLE hub_events (
    id INTEGER PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts TEXT NOT NULL
);

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);

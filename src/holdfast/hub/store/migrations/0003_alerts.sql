CREATE TABLE incidents (
    check_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    severity TEXT NOT NULL,
    opened_at DOUBLE PRECISION NOT NULL,
    closed_at DOUBLE PRECISION,
    acknowledged_by TEXT,
    muted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (check_name, number)
);

CREATE INDEX incidents_open ON incidents (check_name) WHERE closed_at IS NULL;

CREATE TABLE silences (
    id INTEGER PRIMARY KEY,
    pattern TEXT NOT NULL,
    starts_at DOUBLE PRECISION NOT NULL,
    ends_at DOUBLE PRECISION NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    maintenance INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX silences_end ON silences (ends_at);

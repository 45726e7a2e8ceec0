-- name: add
INSERT INTO events (machine, id, at, kind, subject, facts) VALUES (:machine, :id, :at, :kind, :subject, :facts)
ON CONFLICT (machine, id) DO NOTHING

-- name: after
SELECT * FROM events WHERE seq > :after ORDER BY seq LIMIT :limit

-- name: after_of_subject
SELECT * FROM events WHERE subject = :subject AND seq > :after ORDER BY seq LIMIT :limit

-- name: newest
SELECT MAX(seq) AS seq FROM events

-- name: prune
DELETE FROM events WHERE seq <= :upto

-- name: note
INSERT INTO hub_events (at, kind, subject, facts) VALUES (:at, :kind, :subject, :facts)

-- name: untold
SELECT * FROM hub_events WHERE id > :after ORDER BY id LIMIT :limit

-- name: noted
SELECT * FROM hub_events WHERE id = :id

-- name: newest_note
SELECT MAX(id) AS id FROM hub_events

-- name: prune_notes
DELETE FROM hub_events WHERE id <= :upto AND id < (SELECT MAX(id) FROM hub_events)

-- name: cursor
SELECT position FROM cursors WHERE name = :name

-- name: move_cursor
INSERT INTO cursors (name, position) VALUES (:name, :position)
ON CONFLICT (name) DO UPDATE SET position = excluded.position

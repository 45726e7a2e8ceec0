-- name: by_name
SELECT * FROM checks WHERE name = :name

-- name: by_uuid
SELECT * FROM checks WHERE uuid = :uuid

-- name: every
SELECT * FROM checks ORDER BY name

-- name: of_origin
SELECT * FROM checks WHERE origin = :origin ORDER BY name

-- name: due
SELECT * FROM checks WHERE look_at IS NOT NULL AND look_at <= :now ORDER BY look_at LIMIT :limit

-- name: next_look
SELECT look_at FROM checks WHERE look_at IS NOT NULL ORDER BY look_at LIMIT 1

-- name: probes_due
SELECT * FROM checks WHERE probe_at IS NOT NULL AND probe_at <= :now ORDER BY probe_at LIMIT :limit

-- name: next_probe
SELECT probe_at FROM checks WHERE probe_at IS NOT NULL ORDER BY probe_at LIMIT 1

-- name: insert
INSERT INTO checks (
    name, uuid, kind, origin, spec, evidence, alert, severity, confirmed, look_at, probe_at, paused, pings
) VALUES (
    :name, :uuid, :kind, :origin, :spec, :evidence, :alert, :severity, :confirmed, :look_at, :probe_at, :paused, :pings
)

-- name: save
UPDATE checks SET
    kind = :kind, origin = :origin, spec = :spec, evidence = :evidence, alert = :alert, severity = :severity,
    confirmed = :confirmed, look_at = :look_at, probe_at = :probe_at, paused = :paused, pings = :pings
WHERE id = :id

-- name: save_alert
UPDATE checks SET alert = :alert, severity = :severity, confirmed = :confirmed, look_at = :look_at WHERE id = :id

-- name: look_again
UPDATE checks SET look_at = :now WHERE paused = 0 AND (look_at IS NULL OR look_at > :now)

-- name: remove
DELETE FROM checks WHERE id = :id

-- name: counts
SELECT severity, COUNT(*) AS checks FROM checks GROUP BY severity

-- name: names_not_ok
SELECT name, severity FROM checks WHERE severity <> 'ok' ORDER BY name

-- name: add_ping
INSERT INTO pings (check_id, number, at, signal, exit_code, run, method, agent, body)
VALUES (:check_id, :number, :at, :signal, :exit_code, :run, :method, :agent, :body)

-- name: prune_pings
DELETE FROM pings WHERE check_id = :check_id AND number <= :upto

-- name: pings
SELECT * FROM pings WHERE check_id = :check_id ORDER BY number DESC LIMIT :limit

-- name: newest_incident
SELECT MAX(number) AS number FROM incidents WHERE check_name = :name

-- name: close_incidents
UPDATE incidents SET closed_at = :now WHERE check_name = :name AND closed_at IS NULL

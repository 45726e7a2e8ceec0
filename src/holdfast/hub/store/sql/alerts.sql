-- name: rest
UPDATE checks SET severity = 'ok', look_at = :look_at WHERE id = :id

-- name: deaf_due
SELECT * FROM checks WHERE look_at IS NOT NULL AND look_at > :heard AND look_at <= :until AND kind = 'ping'

-- name: put_off
UPDATE checks SET look_at = :look_at WHERE id = :id

-- name: bad
SELECT name, confirmed FROM checks WHERE confirmed <> 'ok' ORDER BY name

-- name: total
SELECT COUNT(*) AS checks FROM checks

-- name: elder
SELECT spec, severity, confirmed, paused FROM checks WHERE name = :name

-- name: alert_of
SELECT id, alert FROM checks WHERE name = :name

-- name: save_alert
UPDATE checks SET alert = :alert, look_at = CASE WHEN paused = 0 THEN :look_at END WHERE id = :id

-- name: wake_bad
UPDATE checks SET look_at = :now WHERE confirmed <> 'ok' AND paused = 0

-- name: open_incident
INSERT INTO incidents (check_name, number, severity, opened_at, muted)
VALUES (:check_name, :number, :severity, :opened_at, :muted)
ON CONFLICT (check_name, number) DO NOTHING

-- name: change_incident
UPDATE incidents SET acknowledged_by = :acknowledged_by, muted = :muted, severity = CASE
    WHEN 'critical' IN (severity, :severity) THEN 'critical'
    WHEN 'warning' IN (severity, :severity) THEN 'warning'
    ELSE severity END
WHERE check_name = :check_name AND number = :number

-- name: close_incident
UPDATE incidents SET closed_at = :closed_at WHERE check_name = :check_name AND number = :number AND closed_at IS NULL

-- name: add_silence
INSERT INTO silences (pattern, starts_at, ends_at, author, note, maintenance)
VALUES (:pattern, :starts_at, :ends_at, :author, :note, :maintenance)
RETURNING id

-- name: silence
SELECT * FROM silences WHERE id = :id

-- name: silences
SELECT * FROM silences WHERE ends_at > :now ORDER BY id

-- name: end_silence
UPDATE silences SET ends_at = :now WHERE id = :id AND ends_at > :now

-- name: forget_silences
DELETE FROM silences WHERE ends_at < :before

-- name: incidents
SELECT * FROM incidents WHERE check_name = :check_name ORDER BY number

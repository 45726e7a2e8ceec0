-- name: well_due
SELECT id, name, spec, evidence, alert FROM checks
WHERE look_at IS NOT NULL AND look_at <= :now AND confirmed = 'ok' AND severity = 'ok' ORDER BY look_at LIMIT :limit

-- name: incidents
SELECT check_name, number, severity, opened_at, closed_at, acknowledged_by, muted FROM incidents
ORDER BY opened_at DESC, check_name LIMIT :limit

-- name: open_incidents
SELECT check_name, number, severity, opened_at, closed_at, acknowledged_by, muted FROM incidents
WHERE closed_at IS NULL ORDER BY opened_at DESC, check_name LIMIT :limit

-- name: messages
SELECT message, channel, state, attempt, last_error, updated_at FROM batches
WHERE state <> 'superseded' ORDER BY id DESC LIMIT :limit

-- name: every_message
SELECT message, channel, state, attempt, last_error, updated_at FROM batches ORDER BY id DESC LIMIT :limit

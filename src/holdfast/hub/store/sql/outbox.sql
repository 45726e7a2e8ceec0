-- name: add_intent
INSERT INTO intents (key, channel, check_name, incident, kind, severity, at, facts, batch, dropped)
VALUES (:key, :channel, :check_name, :incident, :kind, :severity, :at, :facts, NULL, 0)
ON CONFLICT (key) DO NOTHING

-- name: loose
SELECT facts FROM intents WHERE batch IS NULL AND dropped = 0 ORDER BY id

-- name: of_incident
SELECT intents.facts, intents.batch, batches.state, batches.given
FROM intents LEFT JOIN batches ON batches.key = intents.batch
WHERE intents.check_name = :check_name AND intents.incident = :incident AND intents.dropped = 0
ORDER BY intents.id

-- name: drop
UPDATE intents SET dropped = 1 WHERE key = :key

-- name: put_in_batch
UPDATE intents SET batch = :batch WHERE key = :key

-- name: loosen
UPDATE intents SET batch = NULL WHERE batch = :batch AND dropped = 0

-- name: add_batch
INSERT INTO batches (
    key, channel, kind, severity, message, state, attempt, given, owner, lease_until, next_try_at, created_at, updated_at, last_error
) VALUES (
    :key, :channel, :kind, :severity, :message, 'pending', 0, 0, '', NULL, :now, :now, :now, ''
)

-- name: supersede
UPDATE batches SET state = 'superseded', updated_at = :now WHERE key = :key AND state = 'pending' AND given = 0

-- name: forget_superseded
DELETE FROM batches WHERE key = :key AND state = 'superseded'

-- name: heads
SELECT channel, state, lease_until, next_try_at FROM batches
WHERE id IN (SELECT MIN(id) FROM batches WHERE state IN ('pending', 'sending') GROUP BY channel)

-- name: head
SELECT * FROM batches WHERE channel = :channel AND state IN ('pending', 'sending') ORDER BY id LIMIT 1

-- name: claim
UPDATE batches SET state = :state, attempt = :attempt, given = given + 1, owner = :owner, lease_until = :lease_until,
    updated_at = :now
WHERE key = :key AND attempt = :attempt - 1 AND state IN ('pending', 'sending')

-- name: deliver
UPDATE batches SET state = 'delivered', lease_until = NULL, updated_at = :now, last_error = ''
WHERE key = :key AND owner = :owner AND attempt = :attempt AND state IN ('sending', 'delivered')

-- name: retry
UPDATE batches SET state = 'pending', given = given - :taken_back, lease_until = NULL, next_try_at = :next_try_at, updated_at = :now, last_error = :why
WHERE key = :key AND owner = :owner AND attempt = :attempt AND state = 'sending'

-- name: bury
UPDATE batches SET state = 'dead', lease_until = NULL, updated_at = :now, last_error = :why
WHERE key = :key AND owner = :owner AND attempt = :attempt AND state IN ('sending', 'delivered')

-- name: bury_unclaimed
UPDATE batches SET state = 'dead', lease_until = NULL, updated_at = :now, last_error = :why
WHERE key = :key AND state IN ('pending', 'sending')

-- name: undelivered
SELECT * FROM batches WHERE channel = :channel AND state IN ('pending', 'sending') ORDER BY id

-- name: release
UPDATE batches SET state = 'pending', lease_until = NULL, next_try_at = :now
WHERE state = 'sending' AND owner LIKE :owners ESCAPE '\'

-- name: channel
SELECT * FROM channels WHERE name = :name

-- name: channels
SELECT * FROM channels ORDER BY name

-- name: channel_delivered
INSERT INTO channels (name, broken, failing_at, delivered_at) VALUES (:name, '', NULL, :now)
ON CONFLICT (name) DO UPDATE SET broken = '', failing_at = NULL, delivered_at = excluded.delivered_at

-- name: channel_failed
INSERT INTO channels (name, broken, failing_at, delivered_at) VALUES (:name, :broken, :now, NULL)
ON CONFLICT (name) DO UPDATE SET broken = excluded.broken, failing_at = COALESCE(channels.failing_at, excluded.failing_at)

-- name: waiting
SELECT COUNT(*) AS messages, MIN(created_at) AS oldest_at FROM batches WHERE state IN ('pending', 'sending')

-- name: loose_waiting
SELECT COUNT(*) AS intents, MIN(at) AS oldest_at FROM intents WHERE batch IS NULL AND dropped = 0

-- name: ended
SELECT state, COUNT(*) AS messages FROM batches WHERE state NOT IN ('pending', 'sending') GROUP BY state

-- name: prune_intents
DELETE FROM intents WHERE batch IN (
    SELECT key FROM batches WHERE state NOT IN ('pending', 'sending') AND updated_at < :before
) AND NOT EXISTS (
    SELECT 1 FROM incidents
    WHERE incidents.check_name = intents.check_name AND incidents.number = intents.incident AND incidents.closed_at IS NULL
)

-- name: prune_dropped
DELETE FROM intents WHERE dropped = 1 AND at < :before

-- name: prune_batches
DELETE FROM batches WHERE state NOT IN ('pending', 'sending') AND updated_at < :before

-- name: by_key
SELECT * FROM batches WHERE key = :key

-- name: members
SELECT facts FROM intents WHERE batch = :batch AND dropped = 0 ORDER BY id

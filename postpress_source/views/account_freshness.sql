-- One row an account: how far its chats are known, and whether it is still being read.
--
-- last_read_at       end of the last complete walk that covered the account
-- last_full_walk_at  end of the last one that read its list to the end
-- behind_hours       from last_read_at to as_of, the newest last_read_at of all: more than a run
--                    or two means that the account is skipped; see error_type and next_step
-- silent_hours       from its newest chat to as_of: long while behind_hours is short, it may be
--                    an account that still answers and brings nothing any more
-- error_type         of its last walk; null where that was complete
CREATE VIEW account_freshness AS
WITH known AS (
    SELECT
        k.account_id,
        MAX(k.account_type) AS account_type,
        COUNT(k.chat_id) AS chats,
        MAX(k.activity_at) AS newest_chat_at
    FROM (
        SELECT c.account_id, c.account_type, c.id AS chat_id, c.timestamp AS activity_at
        FROM chats AS c
        UNION ALL
        SELECT l.account_id, NULL, NULL, NULL  -- one that could never be read
        FROM chat_walks AS l
    ) AS k
    WHERE k.account_id IS NOT NULL
    GROUP BY k.account_id
),
covering AS (
    SELECT
        k.account_id,
        w.finished_at,
        w.complete,
        w.to_the_end,
        w.watermark_after,
        w.error_type,
        w.next_step,
        ROW_NUMBER() OVER (
            PARTITION BY k.account_id
            ORDER BY w.started_at DESC, w.account_id NULLS LAST
        ) AS steps_back
    FROM known AS k
    JOIN chat_walks AS w ON
        w.kind NOT IN ('backfill', 'sweep')
        AND (
            w.account_id = k.account_id
            OR (
                w.account_id IS NULL
                AND (
                    COALESCE(w.scope, '') NOT LIKE '%account_type=%'
                    OR w.scope LIKE '%account_type=' || k.account_type || '%'
                )
            )
        )
),
walked AS (
    SELECT
        v.account_id,
        MAX(v.watermark_after) FILTER (WHERE v.complete) AS watermark,
        MAX(v.finished_at) FILTER (WHERE v.complete) AS last_read_at,
        MAX(v.finished_at) FILTER (WHERE v.complete AND v.to_the_end) AS last_full_walk_at,
        MAX(v.error_type) FILTER (WHERE v.steps_back = 1) AS error_type,
        MAX(v.next_step) FILTER (WHERE v.steps_back = 1) AS next_step
    FROM covering AS v
    GROUP BY v.account_id
)
SELECT
    k.account_id,
    k.account_type,
    k.chats,
    k.newest_chat_at,
    w.watermark,
    w.last_read_at,
    w.last_full_walk_at,
    CAST(EXTRACT(EPOCH FROM (n.as_of - w.last_read_at)) AS DOUBLE PRECISION) / 3600
        AS behind_hours,
    CAST(EXTRACT(EPOCH FROM (n.as_of - k.newest_chat_at)) AS DOUBLE PRECISION) / 3600
        AS silent_hours,
    w.error_type,
    w.next_step,
    COALESCE(c.account_name, k.account_id) AS account_name
FROM known AS k
LEFT JOIN account_names AS c ON c.account_id = k.account_id
LEFT JOIN walked AS w ON w.account_id = k.account_id
CROSS JOIN (SELECT MAX(last_read_at) AS as_of FROM walked) AS n;

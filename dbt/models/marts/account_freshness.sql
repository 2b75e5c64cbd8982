-- From postpress_source/views/account_freshness.sql, by `make dbt-models`; not edited here.
WITH known AS (
    SELECT
        k.account_id,
        MAX(k.account_type) AS account_type,
        COUNT(k.chat_id) AS chats,
        MAX(k.activity_at) AS newest_chat_at
    FROM (
        SELECT c.account_id, c.account_type, c.id AS chat_id, c.timestamp AS activity_at
        FROM {{ source('postpress', 'chats') }} AS c
        UNION ALL
        SELECT l.account_id, NULL, NULL, NULL  -- one that could never be read
        FROM {{ source('postpress', 'chat_walks') }} AS l
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
    JOIN {{ source('postpress', 'chat_walks') }} AS w ON
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
LEFT JOIN {{ ref('account_names') }} AS c ON c.account_id = k.account_id
LEFT JOIN walked AS w ON w.account_id = k.account_id
CROSS JOIN (SELECT MAX(last_read_at) AS as_of FROM walked) AS n

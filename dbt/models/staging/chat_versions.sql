-- From postpress_source/views/chat_versions.sql, by `make dbt-models`; not edited here.
WITH walks AS (  -- of complete loads: what was given up was no look
    SELECT w.account_id, w.scope, w.kind, w.started_at, w.finished_at, w.saw_all, w.saw_down_to,
        w.saw_unread_down_to
    FROM {{ source('postpress', 'chat_walks') }} AS w
    JOIN {{ source('postpress', '_dlt_loads') }} AS l ON l.load_id = w._dlt_load_id AND l.status = 0
),
full_looks AS (
    SELECT w.account_id, w.started_at
    FROM walks AS w
    WHERE w.scope = '' AND w.saw_all
    UNION ALL
    SELECT a.account_id, a.started_at
    FROM {{ source('postpress', 'chat_walk_accounts') }} AS a
    JOIN walks AS w ON w.started_at = a.started_at AND w.account_id IS NULL
    WHERE a.saw_all AND w.scope = ''
),
versions AS (
    SELECT
        h.id,
        h.account_id,
        h.timestamp,
        h.unread_count,
        h.seen_from,
        h.seen_until,
        COALESCE(h.account_id, '') AS account,
        LEAD(h.seen_from) OVER (PARTITION BY h.id ORDER BY h.seen_from) AS next_from
    FROM {{ source('postpress', 'chats_history') }} AS h
),
moments AS (
    SELECT v.account, v.seen_from AS at FROM versions AS v
    UNION
    SELECT v.account, v.seen_until FROM versions AS v WHERE v.seen_until IS NOT NULL
),
ends AS (
    SELECT m.account, m.at, MAX(w.finished_at) AS finished_at
    FROM moments AS m
    JOIN walks AS w ON w.started_at = m.at
    WHERE w.account_id IS NULL OR w.account_id = m.account
    GROUP BY m.account, m.at
),
next_ends AS (
    SELECT m.account, m.at, MIN(w.finished_at) AS finished_at
    FROM moments AS m
    LEFT JOIN ends AS e ON e.account = m.account AND e.at = m.at
    JOIN walks AS w ON w.started_at > m.at
    WHERE e.at IS NULL
    GROUP BY m.account, m.at
),
timeline AS (
    SELECT m.account, m.at, 0 AS is_look FROM moments AS m
    UNION ALL
    SELECT f.account_id, f.started_at, 1 FROM full_looks AS f
),
placed AS (
    SELECT
        t.account,
        t.at,
        t.is_look,
        MAX(CASE WHEN t.is_look = 1 THEN t.at END) OVER (
            PARTITION BY t.account ORDER BY t.at, t.is_look ROWS UNBOUNDED PRECEDING
        ) AS full_look_at
    FROM timeline AS t
),
heads AS MATERIALIZED (  -- of moments, which are few, before it meets the versions
    SELECT
        p.account,
        p.at,
        w.started_at,
        CASE WHEN w.scope = '' THEN w.saw_down_to END AS saw_down_to,
        CASE WHEN w.kind = 'sweep' THEN w.saw_unread_down_to END AS saw_unread_down_to
    FROM placed AS p
    JOIN walks AS w ON
        w.started_at < p.at
        AND (p.full_look_at IS NULL OR w.started_at > p.full_look_at)
        AND (w.account_id IS NULL OR w.account_id = p.account)
    WHERE
        p.is_look = 0
        AND (
            (w.scope = '' AND w.saw_down_to IS NOT NULL)
            OR (w.kind = 'sweep' AND w.saw_unread_down_to IS NOT NULL)
        )
),
head_looks AS (
    SELECT v.id, v.seen_from, MAX(h.started_at) AS started_at
    FROM versions AS v
    JOIN heads AS h ON h.account = v.account AND h.at = v.seen_until
    WHERE
        v.timestamp > h.saw_down_to
        OR (v.unread_count <> 0 AND v.timestamp > h.saw_unread_down_to)
    GROUP BY v.id, v.seen_from
),
ended AS (
    SELECT
        v.*,
        GREATEST(v.seen_from, p.full_look_at, l.started_at) AS last_look_at,
        COALESCE(u.finished_at, nu.finished_at) AS ended_by,
        COALESCE(f.finished_at, nf.finished_at) AS began_by,
        r.started_at IS NOT NULL AS ended_by_a_run
    FROM versions AS v
    LEFT JOIN (SELECT DISTINCT w.started_at FROM walks AS w) AS r ON r.started_at = v.seen_until
    LEFT JOIN placed AS p ON p.account = v.account AND p.at = v.seen_until AND p.is_look = 0
    LEFT JOIN head_looks AS l ON l.id = v.id AND l.seen_from = v.seen_from
    LEFT JOIN ends AS u ON u.account = v.account AND u.at = v.seen_until
    LEFT JOIN next_ends AS nu ON nu.account = v.account AND nu.at = v.seen_until
    LEFT JOIN ends AS f ON f.account = v.account AND f.at = v.seen_from
    LEFT JOIN next_ends AS nf ON nf.account = v.account AND nf.at = v.seen_from
)
SELECT
    e.id,
    e.account_id,
    e.seen_from,
    e.seen_until,
    CASE
        WHEN LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from) < e.seen_from
            THEN LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from)
        ELSE LAG(e.last_look_at) OVER (PARTITION BY e.id ORDER BY e.seen_from)
    END AS began_after,
    e.began_by,
    COALESCE(
        LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from) < e.seen_from, TRUE
    ) AS began_new,
    CASE WHEN e.seen_until IS NOT NULL THEN e.last_look_at END AS ended_after,
    e.ended_by,
    e.ended_by_a_run AND (e.next_from IS NULL OR e.next_from > e.seen_until) AS ended_gone
FROM ended AS e

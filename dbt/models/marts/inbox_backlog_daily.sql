-- From postpress_source/views/inbox_backlog_daily.sql, by `make dbt-models`; not edited here.
WITH RECURSIVE parameters AS (
    SELECT {{ var('at_hour') }} AS at_hour, '{{ var('time_zone') }}' AS time_zone
),
looked AS (
    SELECT
        GREATEST(
            MAX(w.history_from), (SELECT MIN(h.seen_from) FROM {{ source('postpress', 'chats_history') }} AS h)
        ) AS since,
        MAX(w.finished_at) AS until
    FROM {{ source('postpress', 'chat_walks') }} AS w
),
days (day) AS (
    SELECT DATE_TRUNC('day', l.since AT TIME ZONE 'UTC') - INTERVAL '1 day' FROM looked AS l
    UNION ALL
    SELECT d.day + INTERVAL '1 day' FROM days AS d CROSS JOIN looked AS l
    WHERE d.day < l.until AT TIME ZONE 'UTC'
),
hours AS (
    SELECT d.day, (d.day + p.at_hour * INTERVAL '1 hour') AT TIME ZONE p.time_zone AS as_of
    FROM days AS d
    CROSS JOIN parameters AS p
),
told AS (
    SELECT
        h.day,
        h.as_of,
        v.account_id,
        v.id,
        v.unread,
        v.waiting AND COALESCE(v.muted_until <= h.as_of, TRUE) AS waiting,
        v.last_activity_at,
        v.seen_from <= h.as_of AND COALESCE(v.seen_until > h.as_of, TRUE) AS holds,
        (v.ended_gone AND v.ended_after < h.as_of) OR (v.began_new AND v.began_by > h.as_of)
            AS perhaps_not_there
    FROM hours AS h
    JOIN looked AS l ON h.as_of >= l.since AND h.as_of <= l.until
    JOIN {{ ref('inbox_versions') }} AS v ON
        COALESCE(v.began_after, v.seen_from) <= h.as_of
        AND COALESCE(v.ended_by >= h.as_of, TRUE)
),
chats_then AS (
    SELECT
        t.day,
        t.as_of,
        t.account_id,
        t.id,
        BOOL_OR(t.holds AND t.unread) AS unread,
        BOOL_OR(t.holds AND t.waiting) AS waiting,
        BOOL_OR(
            t.holds AND t.waiting AND t.last_activity_at <= t.as_of - INTERVAL '168 hours'
        ) AS stale,
        BOOL_AND(t.unread AND NOT t.perhaps_not_there) AS surely_unread,
        BOOL_OR(t.unread) AS perhaps_unread
    FROM told AS t
    GROUP BY t.day, t.as_of, t.account_id, t.id
)
SELECT
    c.account_id,
    CAST(c.day AS DATE) AS day,
    c.as_of,
    COUNT(*) FILTER (WHERE c.unread) AS unread_chats,
    COUNT(*) FILTER (WHERE c.surely_unread) AS unread_at_least,
    COUNT(*) FILTER (WHERE c.perhaps_unread) AS unread_at_most,
    COUNT(*) FILTER (WHERE c.waiting) AS waiting_chats,
    COUNT(*) FILTER (WHERE c.stale) AS stale_chats
FROM chats_then AS c
GROUP BY c.account_id, c.day, c.as_of

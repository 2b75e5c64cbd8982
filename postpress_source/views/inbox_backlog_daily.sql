-- One row an account and day: what was unread, waiting and stale at a set hour, and how sure it is.
--
-- at                the hour, UTC; days before the first load and after the last have no row
-- unread_chats      as the tables had it then; likewise waiting_chats
-- unread_at_least   unread for certain: all that the chat can have been then was unread
-- unread_at_most    unread perhaps: these, and what changed between the two looks around the hour
-- stale_chats       waiting chats without any activity for 7 days or longer
--
-- Set the hour and its time zone in `parameters`, or by create_views(at_hour=, time_zone=).
CREATE VIEW inbox_backlog_daily AS
WITH parameters AS (
    SELECT 9 AS at_hour, 'UTC' AS time_zone
),
looked AS (
    SELECT MIN(w.started_at) AS since, MAX(w.finished_at) AS until FROM chat_walks AS w
),
days AS (
    SELECT
        d.day,
        (d.day + p.at_hour * INTERVAL '1 hour') AT TIME ZONE p.time_zone AS at
    FROM parameters AS p
    CROSS JOIN (
        SELECT UNNEST(GENERATE_SERIES(
            DATE_TRUNC('day', l.since AT TIME ZONE 'UTC') - INTERVAL '1 day',
            DATE_TRUNC('day', l.until AT TIME ZONE 'UTC') + INTERVAL '1 day',
            INTERVAL '1 day'
        )) AS day
        FROM looked AS l
    ) AS d
),
hours AS (
    SELECT d.day, d.at
    FROM days AS d
    CROSS JOIN looked AS l
    WHERE d.at >= l.since AND d.at <= l.until
),
told AS (
    SELECT
        h.day,
        h.at,
        v.account_id,
        v.id,
        v.unread,
        v.waiting AND COALESCE(v.muted_until <= h.at, TRUE) AS waiting,
        v.last_activity_at,
        v.seen_from <= h.at AND COALESCE(v.seen_until > h.at, TRUE) AS holds,
        v.began_by <= h.at AND COALESCE(v.ended_after >= h.at, TRUE) AS surely
    FROM hours AS h
    JOIN inbox_versions AS v ON
        COALESCE(v.began_after, v.seen_from) <= h.at
        AND COALESCE(v.ended_by >= h.at, TRUE)
),
chats_then AS (
    SELECT
        t.day,
        t.at,
        t.account_id,
        t.id,
        BOOL_OR(t.holds AND t.unread) AS unread,
        BOOL_OR(t.holds AND t.waiting) AS waiting,
        BOOL_OR(
            t.holds AND t.waiting AND t.last_activity_at <= t.at - INTERVAL '168 hours'
        ) AS stale,
        BOOL_OR(t.surely AND t.unread) AS surely_unread,
        BOOL_OR(t.unread) AS perhaps_unread
    FROM told AS t
    GROUP BY t.day, t.at, t.account_id, t.id
)
SELECT
    c.account_id,
    CAST(c.day AS DATE) AS day,
    c.at,
    COUNT(*) FILTER (WHERE c.unread) AS unread_chats,
    COUNT(*) FILTER (WHERE c.surely_unread) AS unread_at_least,
    COUNT(*) FILTER (WHERE c.perhaps_unread) AS unread_at_most,
    COUNT(*) FILTER (WHERE c.waiting) AS waiting_chats,
    COUNT(*) FILTER (WHERE c.stale) AS stale_chats
FROM chats_then AS c
GROUP BY c.account_id, c.day, c.at;

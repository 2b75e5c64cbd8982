-- One row an account and day: the backlog at the set hour, and what the day up to it brought.
--
-- unread_chats  of inbox_backlog_daily, as are as_of, its bounds, waiting_chats and stale_chats
-- over_sla      chats that waited then, and surely longer than the limit (inbox_waits)
-- began, ended  waits that the tables first had, and last had, in the 24 hours up to as_of
-- walks, failed_walks  of the account, or of all together, that ended in these hours
-- behind_hours  from the end of the last complete one up to then; null where there was none
--
-- A chat that went counts as ended. Set hour, zone and limit where the two views have them.
CREATE VIEW inbox_health_daily AS
SELECT
    b.account_id,
    b.day,
    b.as_of,
    b.unread_chats,
    b.unread_at_least,
    b.unread_at_most,
    b.waiting_chats,
    b.stale_chats,
    COALESCE(w.over_sla, 0) AS over_sla,
    COALESCE(w.began, 0) AS began,
    COALESCE(w.ended, 0) AS ended,
    COALESCE(l.walks, 0) AS walks,
    COALESCE(l.failed_walks, 0) AS failed_walks,
    CAST(EXTRACT(EPOCH FROM (b.as_of - l.last_read_at)) AS DOUBLE PRECISION) / 3600 AS behind_hours
FROM inbox_backlog_daily AS b
LEFT JOIN (
    SELECT
        d.account_id,
        d.day,
        COUNT(*) FILTER (
            WHERE COALESCE(i.ended_by > d.as_of, TRUE) AND i.over_sla_at < d.as_of
        ) AS over_sla,
        COUNT(*) FILTER (WHERE i.began_by > d.as_of - INTERVAL '24 hours') AS began,
        COUNT(*) FILTER (
            WHERE i.ended_by > d.as_of - INTERVAL '24 hours' AND i.ended_by <= d.as_of
        ) AS ended
    FROM inbox_backlog_daily AS d
    JOIN inbox_waits AS i ON i.account_id = d.account_id AND i.began_by <= d.as_of
    GROUP BY d.account_id, d.day
) AS w ON w.account_id = b.account_id AND w.day = b.day
LEFT JOIN (
    SELECT
        d.account_id,
        d.day,
        COUNT(*) FILTER (WHERE k.finished_at > d.as_of - INTERVAL '24 hours') AS walks,
        COUNT(*) FILTER (
            WHERE k.finished_at > d.as_of - INTERVAL '24 hours' AND NOT k.complete
        ) AS failed_walks,
        MAX(k.finished_at) FILTER (WHERE k.complete) AS last_read_at
    FROM inbox_backlog_daily AS d
    JOIN chat_walks AS k ON
        COALESCE(k.account_id = d.account_id, TRUE)
        AND k.kind NOT IN ('backfill', 'sweep')
        AND k.finished_at <= d.as_of
    GROUP BY d.account_id, d.day
) AS l ON l.account_id = b.account_id AND l.day = b.day;

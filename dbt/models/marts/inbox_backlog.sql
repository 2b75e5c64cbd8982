-- From postpress_source/views/inbox_backlog.sql, by `make dbt-models`; not edited here.
SELECT
    i.account_type,
    i.account_id,
    COUNT(*) AS chats,
    COUNT(*) FILTER (WHERE i.unread) AS unread_chats,
    COUNT(*) FILTER (WHERE i.waiting) AS waiting_chats,
    COUNT(*) FILTER (WHERE i.waiting AND i.idle_hours >= 168) AS stale_chats,
    MIN(i.last_activity_at) FILTER (WHERE i.unread) AS oldest_unread_at,
    MAX(i.idle_hours) FILTER (WHERE i.unread) AS oldest_unread_hours,
    MAX(i.idle_hours) FILTER (WHERE i.waiting) AS oldest_waiting_hours,
    MAX(i.account_name) AS account_name
FROM {{ ref('inbox_chats') }} AS i
GROUP BY i.account_type, i.account_id

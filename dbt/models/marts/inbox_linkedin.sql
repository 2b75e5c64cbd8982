-- From postpress_source/views/inbox_linkedin.sql, by `make dbt-models`; not edited here.
SELECT
    i.account_id,
    COALESCE(f.inbox, 'none') AS inbox,
    COUNT(*) AS chats,
    COUNT(*) FILTER (WHERE i.unread) AS unread_chats,
    COUNT(*) FILTER (WHERE i.waiting) AS waiting_chats,
    COUNT(*) FILTER (WHERE i.waiting AND i.idle_hours >= 168) AS stale_chats,
    MAX(i.idle_hours) FILTER (WHERE i.unread) AS oldest_unread_hours,
    MAX(i.idle_hours) FILTER (WHERE i.waiting) AS oldest_waiting_hours,
    MAX(i.account_name) AS account_name
FROM {{ ref('inbox_chats') }} AS i
LEFT JOIN (
    SELECT DISTINCT
        e.chat_id,
        LOWER(REPLACE(e.value, 'INBOX_LINKEDIN_', '')) AS inbox
    FROM {{ source('postpress', 'chats__folder') }} AS e
    WHERE e.value LIKE 'INBOX!_LINKEDIN!_%' ESCAPE '!'
) AS f ON f.chat_id = i.id
WHERE i.account_type = 'LINKEDIN'
GROUP BY i.account_id, COALESCE(f.inbox, 'none')

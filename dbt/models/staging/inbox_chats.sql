-- From postpress_source/views/inbox_chats.sql, by `make dbt-models`; not edited here.
SELECT
    f.id,
    f.account_id,
    f.account_type,
    f.name,
    f.last_activity_at,
    f.content_type,
    f.unread,
    f.archived,
    f.muted,
    f.unread AND NOT f.archived AND NOT f.muted AND NOT f.sponsored AS waiting,
    CAST(EXTRACT(EPOCH FROM (f.as_of - f.last_activity_at)) AS DOUBLE PRECISION) / 3600
        AS idle_hours,
    f.as_of,
    f.account_name
FROM (
    SELECT
        c.id,
        c.account_id,
        c.account_type,
        c.name,
        c.timestamp AS last_activity_at,
        c.content_type,
        COALESCE(c.unread_count, 0) <> 0 AS unread,
        COALESCE(c.archived, FALSE) AS archived,
        COALESCE(c.muted_forever, FALSE) OR COALESCE(c.muted_until > w.as_of, FALSE) AS muted,
        COALESCE(c.content_type, '') = 'sponsored' AS sponsored,
        w.as_of,
        COALESCE(n.account_name, c.account_id) AS account_name
    FROM {{ source('postpress', 'chats') }} AS c
    LEFT JOIN {{ ref('account_names') }} AS n ON n.account_id = c.account_id
    CROSS JOIN (SELECT MAX(finished_at) AS as_of FROM {{ source('postpress', 'chat_walks') }} WHERE complete) AS w
) AS f

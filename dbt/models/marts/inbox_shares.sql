-- From postpress_source/views/inbox_shares.sql, by `make dbt-models`; not edited here.
SELECT
    s.*,
    CAST(s.inmail_chats AS DOUBLE PRECISION) / s.chats AS inmail_share,
    CAST(s.sponsored_chats AS DOUBLE PRECISION) / s.chats AS sponsored_share,
    CAST(s.muted_chats AS DOUBLE PRECISION) / s.chats AS muted_share,
    CAST(s.archived_chats AS DOUBLE PRECISION) / s.chats AS archived_share
FROM (
    SELECT
        i.account_type,
        COUNT(*) AS chats,
        COUNT(*) FILTER (WHERE i.content_type = 'inmail') AS inmail_chats,
        COUNT(*) FILTER (WHERE i.content_type = 'sponsored') AS sponsored_chats,
        COUNT(*) FILTER (WHERE i.muted) AS muted_chats,
        COUNT(*) FILTER (WHERE i.archived) AS archived_chats
    FROM {{ ref('inbox_chats') }} AS i
    GROUP BY i.account_type
) AS s

-- From postpress_source/views/inbox_versions.sql, by `make dbt-models`; not edited here.
SELECT
    h.id,
    h.account_id,
    h.timestamp AS last_activity_at,
    h.muted_until,
    COALESCE(h.unread_count, 0) <> 0 AS unread,
    COALESCE(h.unread_count, 0) <> 0
        AND NOT COALESCE(h.archived, FALSE)
        AND NOT COALESCE(h.muted_forever, FALSE)
        AND COALESCE(h.content_type, '') <> 'sponsored' AS waiting,
    v.seen_from,
    v.seen_until,
    v.began_after,
    v.began_by,
    v.began_new,
    v.ended_after,
    v.ended_by,
    v.ended_gone
FROM {{ source('postpress', 'chats_history') }} AS h
JOIN {{ ref('chat_versions') }} AS v ON v.id = h.id AND v.seen_from = h.seen_from

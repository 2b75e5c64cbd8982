-- From postpress_source/views/walk_kinds.sql, by `make dbt-models`; not edited here.
SELECT
    w.kind,
    COUNT(*) AS walks,
    COUNT(*) FILTER (WHERE NOT w.complete) AS failed_walks,
    COUNT(*) FILTER (WHERE w.unchanged) AS unchanged_walks,
    CAST(SUM(w.requests) AS BIGINT) AS requests,
    CAST(SUM(w.retries) AS BIGINT) AS retries,
    CAST(SUM(w.chats_read) AS BIGINT) AS chats_read
FROM {{ source('postpress', 'chat_walks') }} AS w
GROUP BY w.kind

-- From postpress_source/views/inbox_activity.sql, by `make dbt-models`; not edited here.
SELECT
    i.account_type,
    CAST(EXTRACT(ISODOW FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER) AS weekday,
    CAST(EXTRACT(HOUR FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER) AS hour,
    COUNT(*) AS chats
FROM {{ ref('inbox_chats') }} AS i
WHERE i.last_activity_at IS NOT NULL
GROUP BY
    i.account_type,
    CAST(EXTRACT(ISODOW FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER),
    CAST(EXTRACT(HOUR FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER)

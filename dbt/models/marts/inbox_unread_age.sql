-- From postpress_source/views/inbox_unread_age.sql, by `make dbt-models`; not edited here.
SELECT
    a.account_type,
    a.age_order,
    CASE a.age_order
        WHEN 1 THEN 'under a day'
        WHEN 2 THEN '1 to 7 days'
        WHEN 3 THEN '7 to 30 days'
        WHEN 4 THEN '30 days or more'
        ELSE 'unknown'
    END AS age,
    COUNT(*) AS unread_chats,
    COUNT(*) FILTER (WHERE a.waiting) AS waiting_chats
FROM (
    SELECT
        i.account_type,
        i.waiting,
        CASE
            WHEN i.idle_hours < 24 THEN 1
            WHEN i.idle_hours < 168 THEN 2
            WHEN i.idle_hours < 720 THEN 3
            WHEN i.idle_hours IS NOT NULL THEN 4
            ELSE 5
        END AS age_order
    FROM {{ ref('inbox_chats') }} AS i
    WHERE i.unread
) AS a
GROUP BY a.account_type, a.age_order

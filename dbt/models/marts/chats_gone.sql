-- From postpress_source/views/chats_gone.sql, by `make dbt-models`; not edited here.
SELECT v.id, v.account_id, v.ended_after AS after, v.ended_by AS until
FROM {{ ref('chat_versions') }} AS v
WHERE v.ended_gone

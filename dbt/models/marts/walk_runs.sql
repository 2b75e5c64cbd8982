-- From postpress_source/views/walk_runs.sql, by `make dbt-models`; not edited here.
SELECT
    DENSE_RANK() OVER (ORDER BY r.run_started_at, w._dlt_load_id) AS run,
    w.account_id,
    w.kind,
    w.reason,
    w.started_at,
    CAST(EXTRACT(EPOCH FROM (w.finished_at - w.started_at)) AS DOUBLE PRECISION) AS seconds,
    w.pages,
    w.requests,
    w.retries,
    w.chats_read,
    w.unchanged,
    w.to_the_end,
    w.complete,
    w.watermark_before,
    w.watermark_after,
    CAST(EXTRACT(EPOCH FROM (w.finished_at - w.watermark_after)) AS DOUBLE PRECISION) / 3600
        AS watermark_lag_hours,
    w.error_type,
    w.next_step,
    w._dlt_load_id
FROM {{ source('postpress', 'chat_walks') }} AS w
JOIN (
    SELECT
        _dlt_load_id,
        MIN(started_at) AS run_started_at
    FROM {{ source('postpress', 'chat_walks') }}
    GROUP BY _dlt_load_id
) AS r ON r._dlt_load_id = w._dlt_load_id

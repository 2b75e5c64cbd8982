-- From postpress_source/views/inbox_waits.sql, by `make dbt-models`; not edited here.
WITH parameters AS (
    SELECT {{ var('sla_hours') }} AS sla_hours, '{{ var('time_zone') }}' AS time_zone, {{ var('opens') }} AS opens, {{ var('closes') }} AS closes, {{ var('working_days') }} AS working_days
),
looked AS (
    SELECT MAX(w.finished_at) FILTER (WHERE w.complete) AS as_of FROM {{ source('postpress', 'chat_walks') }} AS w
),
marked AS (
    SELECT
        v.*,
        CASE
            WHEN v.waiting
                AND LAG(v.waiting) OVER (PARTITION BY v.id ORDER BY v.seen_from)
                AND LAG(v.seen_until) OVER (PARTITION BY v.id ORDER BY v.seen_from) = v.seen_from
                THEN 0
            ELSE 1
        END AS begins
    FROM {{ ref('inbox_versions') }} AS v
),
numbered AS (
    SELECT
        m.*,
        SUM(m.begins) OVER (PARTITION BY m.id ORDER BY m.seen_from ROWS UNBOUNDED PRECEDING)
            AS wait
    FROM marked AS m
),
edges AS (
    SELECT
        n.*,
        ROW_NUMBER() OVER (PARTITION BY n.id, n.wait ORDER BY n.seen_from) AS from_start,
        ROW_NUMBER() OVER (PARTITION BY n.id, n.wait ORDER BY n.seen_from DESC) AS from_end
    FROM numbered AS n
    WHERE n.waiting
),
waits AS (
    SELECT
        e.id,
        e.wait,
        MAX(e.account_id) FILTER (WHERE e.from_start = 1) AS account_id,
        MAX(e.began_after) FILTER (WHERE e.from_start = 1) AS began_after,
        MAX(e.began_by) FILTER (WHERE e.from_start = 1) AS began_by,
        MAX(e.ended_after) FILTER (WHERE e.from_end = 1) AS ended_after,
        MAX(e.ended_by) FILTER (WHERE e.from_end = 1) AS ended_by,
        BOOL_OR(e.seen_until IS NULL) AS open
    FROM edges AS e
    GROUP BY e.id, e.wait
),
walls AS (  -- milliseconds; the days are counted from a Monday
    SELECT
        w.id,
        w.wait,
        p.*,
        CAST(w.began_by AT TIME ZONE p.time_zone AS DATE) - DATE '1970-01-05' AS days,
        CAST(EXTRACT(EPOCH FROM CAST(w.began_by AT TIME ZONE p.time_zone AS TIME)) * 1000 AS BIGINT)
            AS of_day,
        CAST(p.closes - p.opens AS BIGINT) * 3600000 AS open_for
    FROM waits AS w
    CROSS JOIN parameters AS p
),
due AS (  -- in business hours since that Monday
    SELECT
        v.*,
        v.open_for * (
            (v.days - MOD(v.days, 7)) / 7 * v.working_days + LEAST(MOD(v.days, 7), v.working_days)
        )
        + CASE
            WHEN MOD(v.days, 7) < v.working_days
                THEN LEAST(GREATEST(v.of_day - CAST(v.opens AS BIGINT) * 3600000, 0), v.open_for)
            ELSE 0
        END
        + CAST(v.sla_hours AS BIGINT) * 3600000 AS at
    FROM walls AS v
),
due_days AS (
    SELECT
        d.*,
        MOD(CAST(d.at AS BIGINT), d.open_for) AS after_opening,
        CAST((d.at - MOD(CAST(d.at AS BIGINT), d.open_for)) / d.open_for AS BIGINT) AS day
    FROM due AS d
),
limits AS (
    SELECT
        d.id,
        d.wait,
        (
            TIMESTAMP '1970-01-05 00:00:00'
            + (d.day - MOD(d.day, d.working_days)) / d.working_days * INTERVAL '7 days'
            + MOD(d.day, d.working_days) * INTERVAL '1 day'
            + (d.opens * 3600 + d.after_opening / 1000.0) * INTERVAL '1 second'
        ) AT TIME ZONE d.time_zone AS business_at
    FROM due_days AS d
),
hours AS (
    SELECT
        w.*,
        COALESCE(w.ended_after, k.as_of) AS waited_until,
        CASE
            WHEN p.working_days * (p.closes - p.opens) = 168
                THEN w.began_by + p.sla_hours * INTERVAL '1 hour'
            ELSE l.business_at
        END AS over_sla_at,
        GREATEST(
            CAST(
                EXTRACT(EPOCH FROM (COALESCE(w.ended_after, k.as_of) - w.began_by))
                AS DOUBLE PRECISION
            ) / 3600,
            0
        ) AS at_least_hours,
        CAST(
            EXTRACT(EPOCH FROM (COALESCE(w.ended_by, k.as_of) - w.began_after)) AS DOUBLE PRECISION
        ) / 3600 AS at_most_hours
    FROM waits AS w
    JOIN limits AS l ON l.id = w.id AND l.wait = w.wait
    CROSS JOIN looked AS k
    CROSS JOIN parameters AS p
)
SELECT
    h.id,
    h.account_id,
    h.began_after,
    h.began_by,
    h.ended_after,
    h.ended_by,
    h.open,
    h.at_least_hours,
    h.at_most_hours,
    h.waited_until > h.over_sla_at AS over_sla,
    h.over_sla_at
FROM hours AS h

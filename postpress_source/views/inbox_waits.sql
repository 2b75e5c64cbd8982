-- One row each time that a chat waited: unread, and neither archived, muted for ever nor sponsored.
--
-- began_after, began_by  it didn't wait yet at the first look, and did at the second; the first is
--                        null where nothing was known before
-- ended_after, ended_by  it still did at the first, and not any more at the second; null where it
--                        waits still
-- at_least_hours         from began_by to ended_after, or to the last look where it waits still
-- at_most_hours          from began_after to ended_by, or to the last look; null where the first is
-- over_sla               at_least_hours is more than the limit; set it in `parameters`, or by
--                        create_views(sla_hours=)
--
-- Waiting is unread, not unanswered: the list doesn't tell who wrote last.
CREATE VIEW inbox_waits AS
WITH parameters AS (
    SELECT 24 AS sla_hours
),
looked AS (
    SELECT MAX(w.finished_at) FILTER (WHERE w.complete) AS as_of FROM chat_walks AS w
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
    FROM inbox_versions AS v
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
        MAX(e.account_id) FILTER (WHERE e.from_start = 1) AS account_id,
        MAX(e.began_after) FILTER (WHERE e.from_start = 1) AS began_after,
        MAX(e.began_by) FILTER (WHERE e.from_start = 1) AS began_by,
        MAX(e.ended_after) FILTER (WHERE e.from_end = 1) AS ended_after,
        MAX(e.ended_by) FILTER (WHERE e.from_end = 1) AS ended_by,
        BOOL_OR(e.seen_until IS NULL) AS open
    FROM edges AS e
    GROUP BY e.id, e.wait
),
hours AS (
    SELECT
        w.*,
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
    CROSS JOIN looked AS k
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
    h.at_least_hours > p.sla_hours AS over_sla
FROM hours AS h
CROSS JOIN parameters AS p;

-- One row a version of a chat, with the two looks between which it began and ended.
--
-- began_after, began_by  the version before it still held at the first, this one at the second;
--                        began_after is null where nothing was known of the chat before
-- ended_after, ended_by  this version still held at the first, and no longer at the second; null
--                        where it is current
-- began_new              nothing was known of the chat before, or it was gone
-- ended_gone             the chat was gone then: listed at ended_after, and not at ended_by
--
-- What a look is: a walk that listed each chat that the tables had of the account, or, of a head
-- walk, each that was active later than the walk's end (chat_walks.saw_all, saw_down_to); or, of
-- what was unread, a sweep (saw_unread_down_to). Of a run that the ledger has no walk of (add_limit)
-- the next walk's end stands for its own.
CREATE VIEW chat_versions AS
WITH looks AS (
    SELECT w.account_id, w.started_at, w.saw_down_to, w.saw_all, NULL AS saw_unread_down_to
    FROM chat_walks AS w
    WHERE w.scope = '' AND (w.saw_all OR w.saw_down_to IS NOT NULL)
    UNION ALL
    SELECT w.account_id, w.started_at, NULL, FALSE, w.saw_unread_down_to
    FROM chat_walks AS w
    WHERE w.kind = 'sweep' AND w.saw_unread_down_to IS NOT NULL
    UNION ALL
    SELECT a.account_id, a.started_at, NULL, TRUE, NULL
    FROM chat_walk_accounts AS a
    JOIN chat_walks AS w ON w.started_at = a.started_at AND w.account_id IS NULL
    WHERE a.saw_all AND w.scope = ''
),
ends AS (
    SELECT w.started_at, w.account_id, MAX(w.finished_at) AS finished_at
    FROM chat_walks AS w
    GROUP BY w.started_at, w.account_id
),
unled AS (
    SELECT s.at, MIN(w.finished_at) AS finished_at
    FROM (
        SELECT h.seen_from AS at FROM chats_history AS h
        UNION
        SELECT h.seen_until FROM chats_history AS h
    ) AS s
    LEFT JOIN ends AS e ON e.started_at = s.at
    JOIN chat_walks AS w ON w.started_at > s.at
    WHERE e.started_at IS NULL
    GROUP BY s.at
),
versions AS (
    SELECT
        h.*,
        LEAD(h.seen_from) OVER (PARTITION BY h.id ORDER BY h.seen_from) AS next_from
    FROM chats_history AS h
),
ended AS (
    SELECT
        v.*,
        (
            SELECT GREATEST(v.seen_from, MAX(l.started_at))
            FROM looks AS l
            WHERE
                l.started_at > v.seen_from
                AND l.started_at < v.seen_until
                AND (l.account_id IS NULL OR l.account_id = v.account_id)
                AND (
                    l.saw_all
                    OR v.timestamp > l.saw_down_to
                    OR (v.unread_count <> 0 AND v.timestamp > l.saw_unread_down_to)
                )
        ) AS last_look_at,
        COALESCE(
            (
                SELECT MAX(e.finished_at)
                FROM ends AS e
                WHERE
                    e.started_at = v.seen_until
                    AND (e.account_id IS NULL OR e.account_id = v.account_id)
            ),
            (SELECT MAX(u.finished_at) FROM unled AS u WHERE u.at = v.seen_until)
        ) AS ended_by,
        COALESCE(
            (
                SELECT MAX(e.finished_at)
                FROM ends AS e
                WHERE
                    e.started_at = v.seen_from
                    AND (e.account_id IS NULL OR e.account_id = v.account_id)
            ),
            (SELECT MAX(u.finished_at) FROM unled AS u WHERE u.at = v.seen_from)
        ) AS began_by
    FROM versions AS v
)
SELECT
    e.id,
    e.account_id,
    e.seen_from,
    e.seen_until,
    CASE
        WHEN LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from) < e.seen_from
            THEN LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from)
        ELSE LAG(COALESCE(e.last_look_at, e.seen_from)) OVER (PARTITION BY e.id ORDER BY e.seen_from)
    END AS began_after,
    e.began_by,
    COALESCE(
        LAG(e.seen_until) OVER (PARTITION BY e.id ORDER BY e.seen_from) < e.seen_from, TRUE
    ) AS began_new,
    CASE WHEN e.seen_until IS NOT NULL THEN COALESCE(e.last_look_at, e.seen_from) END
        AS ended_after,
    e.ended_by,
    e.seen_until IS NOT NULL AND (e.next_from IS NULL OR e.next_from > e.seen_until) AS ended_gone
FROM ended AS e;

-- One row a kind of walk: how many there were, and what they read.
CREATE VIEW walk_kinds AS
SELECT
    w.kind,
    COUNT(*) AS walks,
    COUNT(*) FILTER (WHERE NOT w.complete) AS failed_walks,
    COUNT(*) FILTER (WHERE w.unchanged) AS unchanged_walks,
    CAST(SUM(w.requests) AS BIGINT) AS requests,
    CAST(SUM(w.retries) AS BIGINT) AS retries,
    CAST(SUM(w.chats_read) AS BIGINT) AS chats_read
FROM chat_walks AS w
GROUP BY w.kind;

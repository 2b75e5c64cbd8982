-- One row a version of a chat, with the flags that the other views over the days count by.
--
-- unread   unread_count <> 0; -1 is a chat marked unread by hand
-- waiting  unread, and neither archived, muted for ever nor sponsored
--
-- Waiting is unread, not unanswered: the list doesn't tell who wrote last.
CREATE VIEW inbox_versions AS
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
FROM chats_history AS h
JOIN chat_versions AS v ON v.id = h.id AND v.seen_from = h.seen_from;

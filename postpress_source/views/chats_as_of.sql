-- A query with one parameter, and no view: chats as the tables had them at an instant.
--
-- Put the instant for :at, such as TIMESTAMPTZ '2026-05-17 09:00:00+00'. Exact at the start of a
-- run; what changed between two runs is told by chat_changes.
SELECT h.*
FROM chats_history AS h
WHERE h.seen_from <= :at AND (h.seen_until IS NULL OR h.seen_until > :at);

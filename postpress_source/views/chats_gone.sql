-- One row each time that a chat went: listed at the first look, and not at the second.
--
-- after, until  the two looks, UTC
-- It may have come back since: then it has a later version in chats_history.
CREATE VIEW chats_gone AS
SELECT v.id, v.account_id, v.ended_after AS after, v.ended_by AS until
FROM chat_versions AS v
WHERE v.ended_gone;

-- One row a provider, weekday and hour: chats by their last activity.
--
-- weekday  1 = Monday ... 7 = Sunday, UTC; hour 0-23, UTC
-- A chat counts once, where its last activity is: this isn't the number of messages.
CREATE VIEW inbox_activity AS
SELECT
    i.account_type,
    CAST(EXTRACT(ISODOW FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER) AS weekday,
    CAST(EXTRACT(HOUR FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER) AS hour,
    COUNT(*) AS chats
FROM inbox_chats AS i
WHERE i.last_activity_at IS NOT NULL
GROUP BY
    i.account_type,
    CAST(EXTRACT(ISODOW FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER),
    CAST(EXTRACT(HOUR FROM i.last_activity_at AT TIME ZONE 'UTC') AS INTEGER);

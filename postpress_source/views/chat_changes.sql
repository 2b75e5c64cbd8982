-- One row a change of a field of a chat.
--
-- old, new      the values, as text; instants are UTC
-- after, until  the old value still held at the first look, the new one at the second
--
-- What changed and changed back between two looks is in no row, nor is what was before the first
-- load. A chat that was gone and came back has its row in chats_gone.
CREATE VIEW chat_changes AS
SELECT
    n.id,
    n.account_id,
    f.field,
    f.old,
    f.new,
    v.began_after AS after,
    v.began_by AS until
FROM chats_history AS n
JOIN chats_history AS o ON o.id = n.id AND o.seen_until = n.seen_from
JOIN chat_versions AS v ON v.id = n.id AND v.seen_from = n.seen_from
CROSS JOIN LATERAL (
    VALUES
        ('account_type', o.account_type, n.account_type),
        ('provider_id', o.provider_id, n.provider_id),
        ('attendee_provider_id', o.attendee_provider_id, n.attendee_provider_id),
        ('name', o.name, n.name),
        ('type', CAST(o.type AS TEXT), CAST(n.type AS TEXT)),
        ('timestamp', CAST(o.timestamp AT TIME ZONE 'UTC' AS TEXT), CAST(n.timestamp AT TIME ZONE 'UTC' AS TEXT)),
        ('unread_count', CAST(o.unread_count AS TEXT), CAST(n.unread_count AS TEXT)),
        ('archived', CAST(o.archived AS TEXT), CAST(n.archived AS TEXT)),
        ('muted_until', CAST(o.muted_until AT TIME ZONE 'UTC' AS TEXT), CAST(n.muted_until AT TIME ZONE 'UTC' AS TEXT)),
        ('muted_forever', CAST(o.muted_forever AS TEXT), CAST(n.muted_forever AS TEXT)),
        ('read_only', CAST(o.read_only AS TEXT), CAST(n.read_only AS TEXT)),
        ('subject', o.subject, n.subject),
        ('organization_id', o.organization_id, n.organization_id),
        ('mailbox_id', o.mailbox_id, n.mailbox_id),
        ('content_type', o.content_type, n.content_type),
        ('pinned', CAST(o.pinned AS TEXT), CAST(n.pinned AS TEXT)),
        ('extra', o.extra, n.extra),
        ('folder', o.folder, n.folder),
        ('disabled_features', o.disabled_features, n.disabled_features)
) AS f (field, old, new)
WHERE f.old IS DISTINCT FROM f.new;

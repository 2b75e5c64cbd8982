-- From postpress_source/views/chat_changes.sql, by `make dbt-models`; not edited here.
SELECT
    n.id,
    n.account_id,
    f.field,
    f.old,
    f.new,
    v.began_after AS after,
    v.began_by AS until
FROM {{ source('postpress', 'chats_history') }} AS n
JOIN {{ source('postpress', 'chats_history') }} AS o ON o.id = n.id AND o.seen_until = n.seen_from
JOIN {{ ref('chat_versions') }} AS v ON v.id = n.id AND v.seen_from = n.seen_from
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
WHERE f.old IS DISTINCT FROM f.new

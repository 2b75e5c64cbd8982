-- One row an account that was given a name; the other views look it up.
--
-- create_views fills it from the setting account_names; by hand, put rows like
-- ('acc_1', 'Sales DE') in the place of (NULL, NULL).
CREATE VIEW account_names AS
SELECT
    CAST(n.account_id AS VARCHAR) AS account_id,
    CAST(n.account_name AS VARCHAR) AS account_name
FROM (VALUES (NULL, NULL)) AS n (account_id, account_name)
WHERE n.account_id IS NOT NULL;

-- From postpress_source/views/account_names.sql, by `make dbt-models`; not edited here.
SELECT
    CAST(n.account_id AS VARCHAR) AS account_id,
    CAST(n.account_name AS VARCHAR) AS account_name
FROM (VALUES {{ account_names() }}) AS n (account_id, account_name)
WHERE n.account_id IS NOT NULL

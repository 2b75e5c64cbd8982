{# The rows of account_names: those of the variable, or one that the model leaves out. #}
{% macro account_names() -%}
    {%- for account, name in var('account_names').items() -%}
        ({{ dbt.string_literal(dbt.escape_single_quotes(account)) }}, {{ dbt.string_literal(dbt.escape_single_quotes(name)) }}){{ ', ' if not loop.last }}
    {%- else -%}
        (NULL, NULL)
    {%- endfor -%}
{%- endmacro %}

{% test unique_together(model, columns) %}
SELECT {{ columns | join(', ') }}, COUNT(*) AS times
FROM {{ model }}
GROUP BY {{ columns | join(', ') }}
HAVING COUNT(*) > 1
{% endtest %}

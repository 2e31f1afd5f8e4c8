curl -X POST 'http://0.0.0.0:4000/budget/update' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{"budget_id": "visitor", "tpm_limit": 3000, "max_budget": 6}'

curl -L -X POST 'http://localhost:4000/key/update' \
-H 'Authorization: Bearer LITELLM_MASTER_KEY' \
-H 'Content-Type: application/json' \
-d '{
    "key": "<generated-key>",
    "temp_budget_increase": 50,
    "temp_budget_expiry": "2025-12-24"
}'

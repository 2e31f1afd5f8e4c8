curl -X POST 'http://localhost:4000/key/generate' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{
    "budget_limits": [
        {"budget_duration": "1d", "max_budget": 2},
        {"budget_duration": "30d", "max_budget": 30}
    ]
}'

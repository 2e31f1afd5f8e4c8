curl -L -X POST 'http://localhost:4000/key/update' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{"key": "<generated-key>", "temp_budget_increase": 50, "temp_budget_expiry": "10d"}'

curl -X POST 'http://0.0.0.0:4000/team/update' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{
    "team_id": "<team-id>",
    "max_budget": 20,
    "soft_budget": 0.00001,
    "budget_duration": "7d"
}'

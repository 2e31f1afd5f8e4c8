curl -X POST 'http://0.0.0.0:4000/team/member_update' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{
    "team_id": "<team-id>",
    "user_id": "bob",
    "role": "admin",
    "max_budget_in_team": 2.5
}'

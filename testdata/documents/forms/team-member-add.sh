curl -X POST 'http://0.0.0.0:4000/team/member_add' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{"team_id": "<team-id>", "max_budget_in_team": 0.000000000004, "member": {"role": "user", "user_id": "bob"}}'

curl 'http://0.0.0.0:4000/user/new' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "team_id": "<team-id>", # [OPTIONAL]
  "max_budget": 15,
  "budget_duration": "30s",
}'

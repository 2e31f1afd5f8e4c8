curl 'http://0.0.0.0:4000/key/generate' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "models": ["small", "large"],
  "duration": "20m",
  "metadata": {"owner": "ann@example.org"},
  "team_id": "<team-id>", # [OPTIONAL]
  "max_budget": 12,
}'

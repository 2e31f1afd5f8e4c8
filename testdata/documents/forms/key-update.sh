curl 'http://0.0.0.0:4000/key/update' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "key": "<generated-key>",
  "models": ["large"],
  "metadata": {"owner": "bob@example.org"},
  "team_id": "<team-id>"
}'

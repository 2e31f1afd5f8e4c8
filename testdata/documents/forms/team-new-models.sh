curl --location 'http://localhost:4000/team/new' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "team_alias": "small-only",
  "models": ["small"]
}'

# returns {...,"team_id": "<team-id>"}

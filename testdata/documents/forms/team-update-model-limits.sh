curl --location 'http://0.0.0.0:4000/team/update' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
  "team_id": "per-model",
  "model_rpm_limit": {"small": 2, "large": 60}
}'

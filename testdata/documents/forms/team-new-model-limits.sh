curl --location 'http://0.0.0.0:4000/team/new' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
  "team_id": "per-model",
  "model_rpm_limit": {"small": 1, "large": 50},
  "model_tpm_limit": {"small": 5000, "large": 9000}
}'

curl --location 'http://0.0.0.0:4000/team/update' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
  "team_id": "per-model",
  "metadata": {
    "model_rpm_limit": {"small": 3, "large": 70},
    "model_tpm_limit": {"small": 6000, "large": 9000}
  }
}'

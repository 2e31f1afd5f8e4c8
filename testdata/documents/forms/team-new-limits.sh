curl --location 'http://0.0.0.0:4000/team/new' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{"team_id": "night-shift", "max_parallel_requests": 8, "tpm_limit": 900, "rpm_limit": 1}'

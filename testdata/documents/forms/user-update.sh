curl --location 'http://0.0.0.0:4000/user/update' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
    "user_id": "carl@example.org",
    "max_budget": 7.5,
    "budget_duration": "1mo",
    "rpm_limit": 9
}'

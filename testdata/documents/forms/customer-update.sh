curl --location 'http://0.0.0.0:4000/customer/update' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
    "user_id": "globex",
    "max_budget": 4,
    "alias": "Globex Inc."
}'

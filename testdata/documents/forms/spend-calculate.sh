curl --location 'http://localhost:4000/spend/calculate' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
    "model": "large",
    "messages": [{"role": "user", "content": "one two three four"}]
}'

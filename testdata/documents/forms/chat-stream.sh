curl --location 'http://0.0.0.0:4000/chat/completions' \
--header 'Content-Type: application/json' \
--header 'Authorization: Bearer <generated-key>' \
--data '{
  "model": "small",
  "messages": [{"role": "user", "content": "count to three"}],
  "stream": true
}'

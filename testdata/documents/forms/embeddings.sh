curl --location 'http://0.0.0.0:4000/embeddings' \
--header 'Authorization: Bearer <generated-key>' \
--header 'Content-Type: application/json' \
--data ' {
  "model": "vectors",
  "input": ["a line of verse"]
}'

curl -i http://localhost:4000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer <generated-key>" \
  -d '{
    "model": "large",
    "messages": [
      {"role": "user", "content": "good evening, how'\''s life?"}
    ]
  }'

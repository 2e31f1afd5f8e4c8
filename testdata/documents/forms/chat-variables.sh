curl "$LITELLM_PROXY_URL/v1/chat/completions" \
  -H "x-litellm-api-key: Bearer $LITELLM_API_KEY" \
  -H "Authorization: Bearer for-another-gateway" \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "small",
    "messages": [{"role": "user", "content": "hello there"}]
  }'

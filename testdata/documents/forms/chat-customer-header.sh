curl -X POST 'http://0.0.0.0:4000/v1/chat/completions' \
-H 'Content-Type: application/json' \
-H 'Authorization: Bearer sk-1234' \
-H 'x-litellm-customer-id: acme' \
-d '{"model": "small", "messages": [{"role": "user", "content": "hello"}]}'

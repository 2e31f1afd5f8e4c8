curl -L -X POST 'http://localhost:4000/key/generate' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{
    "models": ["openai/*"], # 👈 all models of a provider
    "key_type": "llm_api"
}'

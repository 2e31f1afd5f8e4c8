curl 'http://0.0.0.0:4000/key/generate' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "max_budget": 0.00001,
  "budget_duration": "30s", # 👈 how often it begins anew
}'

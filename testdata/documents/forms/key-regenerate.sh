curl 'http://localhost:4000/key/<generated-key>/regenerate' \
  -X POST \
  -H 'Authorization: Bearer sk-1234' \
  -H 'Content-Type: application/json' \
  -d '{
    "max_budget": 40,
    "metadata": {
      "rotated_by": "ann"
    },
    "models": [
      "small",
      "large"
    ]
  }'

curl -X POST 'http://0.0.0.0:4000/customer/new' \
    -H 'Authorization: Bearer sk-1234' \
    -H 'Content-Type: application/json' \
    -d '{
        "user_id" : "globex",
        "max_budget": 0, # 👈 may have a fraction
    }'

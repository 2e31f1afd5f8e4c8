curl -X POST "http://0.0.0.0:4000/customer/unblock" \
-H "Authorization: Bearer sk-1234" \
-H "Content-Type: application/json" \
-d '{
    "user_ids": ["acme"]
}'

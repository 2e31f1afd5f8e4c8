curl -X POST "http://0.0.0.0:4000/key/block" \
-H "Authorization: Bearer sk-1234" \
-H "Content-Type: application/json" \
-d '{
    "key": "<generated-key>"
}'

curl -X POST 'http://0.0.0.0:4000/budget/delete' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{"id": "visitor-plus"}'

curl -X GET 'http://0.0.0.0:4000/budget/list' \
-H 'Authorization: Bearer sk-1234'

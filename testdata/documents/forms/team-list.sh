curl -L -X GET 'http://localhost:4000/team/list?user_id=bob' \
-H 'Authorization: Bearer sk-1234'

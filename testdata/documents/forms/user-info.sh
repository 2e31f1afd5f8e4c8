curl -X GET 'http://localhost:4000/user/info?user_id=carl%40example.org' \
  -H 'Authorization: Bearer sk-1234'

curl -X 'GET' 'http://0.0.0.0:4000/user/list?role=internal_user&page=1&page_size=10' \
  -H 'Authorization: Bearer sk-1234'

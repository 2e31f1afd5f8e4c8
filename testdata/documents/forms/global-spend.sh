curl -X GET 'http://localhost:4000/global/spend' \
  -H 'Authorization: Bearer sk-1234'

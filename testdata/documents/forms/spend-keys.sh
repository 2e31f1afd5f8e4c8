curl -X GET 'http://0.0.0.0:4000/spend/keys' \
-H 'Authorization: Bearer sk-1234'

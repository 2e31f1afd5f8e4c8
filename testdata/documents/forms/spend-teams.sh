curl -X GET 'http://0.0.0.0:4000/spend/teams' \
-H 'Authorization: Bearer sk-1234'

curl -X GET "http://0.0.0.0:4000/spend/users?user_id=<user-id>" \
-H "Authorization: Bearer sk-1234"

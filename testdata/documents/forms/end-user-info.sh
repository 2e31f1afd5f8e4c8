curl -X GET 'http://0.0.0.0:4000/end_user/info?end_user_id=globex' -H 'Authorization: Bearer sk-1234'

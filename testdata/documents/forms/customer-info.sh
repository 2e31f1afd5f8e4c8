curl -X GET 'http://0.0.0.0:4000/customer/info?end_user_id=acme' \
        -H 'Authorization: Bearer sk-1234'

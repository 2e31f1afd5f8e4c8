curl 'http://0.0.0.0:4000/key/info' \
     -X GET \
     -H 'Authorization: Bearer <generated-key>'

curl -X GET "http://0.0.0.0:4000/key/info?key=<generated-key>" \
-H "Authorization: Bearer sk-1234"
